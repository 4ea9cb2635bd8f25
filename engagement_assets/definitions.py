"""The one `Definitions` of the code location.

Belongs here: putting assets, checks, jobs, schedules, sensors and resources together. Does not
belong here: any of them.
"""

import dagster as dg

from engagement_assets.decisions.assets import ASSETS as DECISION_ASSETS
from engagement_assets.decisions.assets import CHECKS as DECISION_CHECKS
from engagement_assets.decisions.customers.assets import ASSETS as UNIFIED_ASSETS
from engagement_assets.decisions.customers.assets import CHECKS as UNIFIED_CHECKS
from engagement_assets.deployments.resources import loggers_for, resources_of
from engagement_assets.features.assets import LABEL_ASSETS, customer_snapshot
from engagement_assets.features.checks import CHECKS as FEATURE_CHECKS
from engagement_assets.governance.assets import ASSETS as GOVERNANCE_ASSETS
from engagement_assets.governance.assets import CHECKS as GOVERNANCE_CHECKS
from engagement_assets.governance.audit.assets import ASSETS as AUDIT_ASSETS
from engagement_assets.governance.value.assets import ASSETS as VALUE_ASSETS
from engagement_assets.governance.value.assets import CHECKS as VALUE_CHECKS
from engagement_assets.models.assets import ASSETS as MODEL_ASSETS
from engagement_assets.models.assets import CHECKS as MODEL_CHECKS
from engagement_assets.models.drift import drift_checks
from engagement_assets.orchestration.automation import AUTOMATION, automated
from engagement_assets.orchestration.jobs import JOBS
from engagement_assets.orchestration.schedules import SCHEDULES
from engagement_assets.orchestration.sensors import SENSORS
from engagement_assets.serving.assets import ASSETS as SERVING_ASSETS
from engagement_assets.serving.published import ASSETS as PUBLISHED_ASSETS
from engagement_assets.serving.published import CHECKS as PUBLISHED_CHECKS
from engagement_assets.settings.deployment import deployment
from engagement_assets.settings.installation import Settings, current_home
from engagement_assets.signals.checks import signal_checks
from engagement_assets.signals.network.assets import ASSETS as NETWORK_ASSETS
from engagement_assets.signals.network.insights import ASSETS as NETWORK_INSIGHTS
from engagement_assets.signals.sentiment.assets import ASSETS as SENTIMENT_ASSETS
from engagement_assets.source.assets import ingest_source
from engagement_assets.source.checks import source_checks

defs = dg.Definitions(
    assets=automated(
        [
            ingest_source,
            *SENTIMENT_ASSETS,
            *NETWORK_ASSETS,
            *NETWORK_INSIGHTS,
            customer_snapshot,
            *LABEL_ASSETS,
            *MODEL_ASSETS,
            *DECISION_ASSETS,
            *UNIFIED_ASSETS,
            *GOVERNANCE_ASSETS,
            *AUDIT_ASSETS,
            *VALUE_ASSETS,
            *SERVING_ASSETS,
            *PUBLISHED_ASSETS,
        ]
    ),
    asset_checks=[
        source_checks,
        signal_checks,
        *FEATURE_CHECKS,
        drift_checks,
        *MODEL_CHECKS,
        *DECISION_CHECKS,
        *UNIFIED_CHECKS,
        *GOVERNANCE_CHECKS,
        *VALUE_CHECKS,
        *PUBLISHED_CHECKS,
    ],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[*SENSORS, AUTOMATION],
    resources=resources_of(Settings.load(current_home())),
    loggers=loggers_for(deployment()),
    # One process a run: a step's own would load the location again, and steps run one after
    # another; within a step DuckDB and XGBoost use every core.
    executor=dg.in_process_executor,
)
