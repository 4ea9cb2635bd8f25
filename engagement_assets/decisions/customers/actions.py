"""What the product's rules ask for, from what the models say of one customer.

Belongs here: the rules for one customer, as `sql/predictions/customers.sql` has them for all.
Does not belong here: carrying anything out.
"""

from collections.abc import Mapping
from typing import Any

from engagement_assets.decisions.customers.declared import RETENTION_ACTION, REVIEW_ACTION


def actions_due(predictions: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """The actions due, in the order of the unified predictions."""
    churn, value, anomaly = (
        predictions.get(name) or {} for name in ("churn", "lifetime_value", "anomaly")
    )
    due = [
        str(churn["action"]) if churn.get("action") not in (None, "none") else "",
        RETENTION_ACTION if value.get("retention_priority") else "",
        REVIEW_ACTION if anomaly.get("needs_review") else "",
    ]
    return [action for action in due if action]
