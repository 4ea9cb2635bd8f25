"""What the lifetime value model does in its life: from the lake to candidate and predictions.

Belongs here: putting the pure modules of this folder behind the interface that every model has.
Does not belong here: learning, measuring and wording themselves.
"""

from __future__ import annotations
