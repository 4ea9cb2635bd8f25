"""What the network assets are told by the settings.

Belongs here: seeds, weights and sizes. Does not belong here: what is computed (`metrics.py`,
`embeddings.py`, `spread.py`).
"""

import dagster as dg
from pydantic import Field


class NetworkResource(dg.ConfigurableResource):
    """How the social graph is weighted and what is learnt from it."""

    seed: int = Field(default=7, description="Seed; the same seed and data give the same figures.")
    threads: int = Field(default=2, description="Threads; your number of cores.")
    message_weight: float = Field(
        default=0.0,
        ge=0,
        description="What a message of the month adds to the weight of its connection, which is 1 "
        "without any; 0 leaves messages out.",
    )
    reaction_weight: float = Field(
        default=0.0,
        ge=0,
        description="What a like, share or comment of the month adds to the weight of its "
        "connection; 0 leaves reactions out.",
    )
    node2vec_p: float = Field(
        default=1.0,
        gt=0,
        description="Return parameter of the walks: above 1 they seldom step back.",
    )
    node2vec_q: float = Field(
        default=1.0,
        gt=0,
        description="In-out parameter of the walks: below 1 they wander off (communities), above 1 "
        "they stay near (roles).",
    )
    bootstrap: int = Field(default=200, description="Resamples behind each interval.")

    @property
    def weighted(self) -> bool:
        """Whether edges carry weights."""
        return self.message_weight > 0 or self.reaction_weight > 0
