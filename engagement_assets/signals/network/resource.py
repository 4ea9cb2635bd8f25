"""Settings of the network assets.

Belongs here: seeds, weights and sizes. Does not belong here: what is computed (`metrics.py`,
`embeddings.py`, `spread.py`).
"""

import dagster as dg

from engagement_assets.settings.fields import same
from engagement_assets.settings.installation import Settings


class NetworkResource(dg.ConfigurableResource):
    """How the social graph is weighted and what is learnt from it."""

    seed: int = same(Settings, "seed")
    threads: int = same(Settings, "threads")
    message_weight: float = same(Settings, "message_weight")
    reaction_weight: float = same(Settings, "reaction_weight")
    node2vec_p: float = same(Settings, "node2vec_p")
    node2vec_q: float = same(Settings, "node2vec_q")
    bootstrap: int = same(Settings, "bootstrap")
