"""The three predictions that the ensemble refines.

Belongs here: their columns and losses. Does not belong here: how they are refined.
"""

from engagement_assets.learning.stacking.estimator import Target

CHURN = Target(
    name="refined_churn_probability",
    base="churn_probability",
    label="churn_30_day",
    objective="binary:logistic",
    unit="log loss (nats)",
)
ENGAGEMENT = Target(
    name="refined_engagement_score",
    base="engagement_score",
    label="engagement_score",
    objective="reg:squarederror",
    unit="squared error",
)
VALUE = Target(
    name="refined_future_revenue_usd",
    base="future_revenue_usd",
    label="future_revenue_usd",
    objective="reg:squarederror",
    unit="squared error (USD²)",
    low=None,
    high=None,
)
TARGETS = {target.name: target for target in (CHURN, ENGAGEMENT, VALUE)}
