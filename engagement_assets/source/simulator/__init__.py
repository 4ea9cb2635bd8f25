"""The customer simulator: raw tables of a world whose causes are known."""

from engagement_assets.source.simulator.world import Simulator

__all__ = ["Simulator"]
