"""The customer simulator: raw tables of a world whose causes are known."""

from engagement_assets.source.simulator.causes import CAUSES, PLAIN, VARIANTS, Causes
from engagement_assets.source.simulator.world import Simulator

__all__ = ["CAUSES", "PLAIN", "VARIANTS", "Causes", "Simulator"]
