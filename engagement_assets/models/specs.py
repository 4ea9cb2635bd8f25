"""The models of the platform, as declared.

Belongs here: which models there are, in the order of training. Does not belong here: what a model
is (its folder) and the assets made of it (`assets.py`).
"""

from engagement_assets.models.anomaly.spec import SPEC as ANOMALY
from engagement_assets.models.churn.spec import SPEC as CHURN
from engagement_assets.models.engagement.spec import SPEC as ENGAGEMENT
from engagement_assets.models.ensemble.spec import SPEC as ENSEMBLE
from engagement_assets.models.federated_churn.spec import SPEC as FEDERATED_CHURN
from engagement_assets.models.forecast.spec import SPEC as FORECAST
from engagement_assets.models.forecast.tables import TABLES as FORECAST_TABLES
from engagement_assets.models.graph_engagement.spec import SPEC as GRAPH_ENGAGEMENT
from engagement_assets.models.lifetime_value.spec import SPEC as LIFETIME_VALUE
from engagement_assets.models.recommendation.spec import SPEC as RECOMMENDATION
from engagement_assets.models.segments.spec import SPEC as SEGMENTS
from engagement_assets.models.segments.tables import TABLES as SEGMENT_TABLES
from engagement_assets.models.treatment_effects.spec import SPEC as TREATMENT_EFFECTS
from engagement_assets.models.virality.spec import SPEC as VIRALITY

__all__ = [
    "ANOMALY",
    "EVERY_MODEL",
    "FORECAST",
    "FURTHER_TABLES",
    "MODELS",
    "OF_NO_CUSTOMER",
    "SPENDING_PRIVACY",
]

# the ensemble listens to those before it
EVERY_MODEL = (
    ENGAGEMENT,
    CHURN,
    LIFETIME_VALUE,
    RECOMMENDATION,
    ANOMALY,
    ENSEMBLE,
    VIRALITY,
    GRAPH_ENGAGEMENT,
    TREATMENT_EFFECTS,
    SEGMENTS,
    FORECAST,
    FEDERATED_CHURN,
)
# Those whose predictions of every customer are unified, published and served.
MODELS = tuple(spec for spec in EVERY_MODEL if spec.scores_customers)
# Those whose predictions are of all customers together.
OF_NO_CUSTOMER = tuple(spec for spec in EVERY_MODEL if spec.without_customer)
# Those that are trained by their own schedule alone.
SPENDING_PRIVACY = tuple(spec for spec in EVERY_MODEL if spec.spends_privacy)
# What is made daily of a model's predictions.
FURTHER_TABLES = (*FORECAST_TABLES, *SEGMENT_TABLES)
