"""What an adapter reads from, with only what a test needs.

Belongs here: making it. Does not belong here: what is expected.
"""

from dataclasses import fields
from typing import Any

from engagement_assets.lifecycle.adapter import Inputs


def made_inputs(**about: Any) -> Inputs:
    """Inputs with what is given, and nothing else."""
    return Inputs(**{**{field.name: None for field in fields(Inputs)}, **about})
