"""Asset checks of the churn model, its fairness and its predictions.

Belongs here: which checks there are and their limits. Does not belong here: the measures.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from engagement_assets.features.snapshot import declared_schemas
from engagement_assets.models.champion import AUC_FLOOR, calibration_ceiling
from engagement_assets.models.churn.declared import (
    ADDITIVITY,
    CALIBRATION,
    EIGHTY_PERCENT,
    NAME,
    PREDICTION_BLOCKING,
    PREDICTION_SPECS,
    PREDICTIONS,
    PREDICTIONS_SCHEMA,
    QUALITY,
)
from resources.checks import (
    PSI_LIMIT,
    Outcome,
    bounds_outcome,
    daily_counts,
    keys_measures,
    keys_outcome,
    psi,
    psi_by_chance,
    result,
    run_days,
    schema_outcome,
    volume_outcome,
)
from resources.gate import VERSION
from resources.io_managers import RegistryResource, Report
from resources.lake import Lake
from resources.platform import EngineResource, LakeResource

ADDITIVITY_TOLERANCE = 1e-2
KEY = ["customer_id"]


@dg.multi_asset_check(
    name="churn_evaluation_checks",
    specs=[QUALITY, CALIBRATION],
    ins={"evaluation": dg.AssetIn([NAME, "evaluation"])},
)
def churn_evaluation_checks(evaluation: Report) -> Iterator[dg.AssetCheckResult]:
    """Judge the candidate by its floors."""
    figures = evaluation.figures
    auc, error = (figures["metrics"][name]["value"] for name in ("auc", "calibration_error"))
    ceiling = calibration_ceiling(figures["calibration_error_by_chance"])
    version = figures[VERSION]
    yield _about_version(
        QUALITY, version, auc >= AUC_FLOOR, f"AUC {auc:.4f}, floor {AUC_FLOOR}", auc=auc
    )
    yield _about_version(
        CALIBRATION,
        version,
        error <= ceiling,
        f"calibration error {error:.4f}, ceiling {ceiling:.4f}",
        calibration_error=error,
    )


@dg.multi_asset_check(
    name="churn_fairness_checks",
    specs=[EIGHTY_PERCENT],
    ins={"fairness": dg.AssetIn([NAME, "fairness"])},
)
def churn_fairness_checks(fairness: Report) -> Iterator[dg.AssetCheckResult]:
    """Judge the candidate by the 80 % rule."""
    report = fairness.figures["report"]
    told = "; ".join(report["failures"]) or "no judged group fails the rule"
    yield _about_version(
        EIGHTY_PERCENT,
        fairness.figures[VERSION],
        report["passes"],
        told,
        not_judged=len(report["notes"]),
    )


def _about_version(
    spec: dg.AssetCheckSpec, version: str, passed: bool, told: str, **figures: float
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=bool(passed),
        description=told,
        metadata={VERSION: version, **figures},
    )


@dg.multi_asset_check(name="churn_prediction_checks", specs=PREDICTION_SPECS, can_subset=True)
def churn_prediction_checks(
    context: dg.AssetCheckExecutionContext,
    lake: LakeResource,
    engine: EngineResource,
    registry: RegistryResource,
) -> Iterator[dg.AssetCheckResult]:
    """Check the predictions of this run."""
    there = lake.lake.days(PREDICTIONS)
    days = run_days(context, there)
    run = engine.engine(declared_schemas())
    measures = keys_measures(KEY) | {
        "churn_probability": "count(*) FILTER (WHERE NOT churn_probability BETWEEN 0 AND 1)"
    }
    counts = daily_counts(run, PREDICTIONS, measures, days)
    rows = {day: lake.lake.row_count(PREDICTIONS, day) for day in there}
    judges = {
        "schema": lambda: schema_outcome(run, PREDICTIONS, PREDICTIONS_SCHEMA, days),
        "keys": lambda: keys_outcome(counts, KEY),
        "bounds": lambda: bounds_outcome(counts, ["churn_probability"]),
        "volume": lambda: volume_outcome(rows, days[-1]),
        "score_drift": lambda: score_drift_outcome(lake.lake, registry, days[-1]),
    }
    for key in sorted(context.selected_asset_check_keys):
        warn = key.name not in PREDICTION_BLOCKING
        yield result(key, judges[key.name](), days, warn=warn)


def score_drift_outcome(lake: Lake, registry: RegistryResource, day: date) -> Outcome:
    """Whether the scores of a day are spread as the test scores of the model that made them."""
    from engagement_assets.models.churn.training import score_shares  # noqa: PLC0415 - heavy

    table = lake.read(
        PREDICTIONS, days=[day], columns=["churn_probability", "model_version"]
    ).to_pandas()
    if table.empty:
        return Outcome(f"there are no predictions on {day}", [day])
    version = str(table["model_version"].iloc[0])
    card = registry.registry.card(NAME, version)
    now = score_shares(table["churn_probability"])
    index = psi(card["score_shares"], now, rows=(card["test_customers"], len(table)))
    # bins that neither sample reaches have no say
    used = sum(bool(a or b) for a, b in zip(card["score_shares"], now, strict=True))
    limit = max(PSI_LIMIT, psi_by_chance(used, card["test_customers"], len(table)))
    figures = {"psi": index, "limit": limit, VERSION: version}
    if index > limit:
        return Outcome(f"scores moved since training: PSI {index:.2f}", [day], figures)
    return Outcome(metadata=figures)


@dg.multi_asset_check(
    name="churn_explanation_checks",
    specs=[ADDITIVITY],
)
def churn_explanation_checks(
    context: dg.AssetCheckExecutionContext,
) -> Iterator[dg.AssetCheckResult]:
    """Check what the explanations say of themselves."""
    event = context.instance.get_latest_materialization_event(ADDITIVITY.asset_key)
    made = event.asset_materialization if event else None
    if made is None:
        yield dg.AssetCheckResult(passed=False, description="there are no explanations")
        return
    error = float(made.metadata["additivity_error"].value)
    fallback = made.metadata.get("fallback_reason")
    told = f"largest error {error:.1e}"
    if fallback is not None:
        told += f"; the fast method was not used: {fallback.value}"
    yield dg.AssetCheckResult(
        passed=error <= ADDITIVITY_TOLERANCE and fallback is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={"additivity_error": error},
    )


CHECKS = [
    churn_evaluation_checks,
    churn_fairness_checks,
    churn_prediction_checks,
    churn_explanation_checks,
]
