"""What is made of a day's forecasts: how good those of before were, hours, the report.

Belongs here: wrapping the pure modules for Dagster. Does not belong here: the model's own life
(`lifecycle`), series and figures (the other modules of this folder).
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from engagement_assets.lifecycle.access import inputs_of
from engagement_assets.lifecycle.resource import ModelSettings
from engagement_assets.models.forecast.spec import SPEC
from engagement_assets.models.forecast.tables import ACCURACY, GROUP, HOURS, OWNER, TABLES
from engagement_assets.settings.partitions import DAILY, partition_days
from engagement_assets.source.resource import SourceResource
from resources.checks import CheckedTable, FurtherCheck, Outcome, table_checks
from resources.io_managers import RegistryResource, Report, asset_fields
from resources.lake import Lake
from resources.platform import EngineResource
from resources.registry import registered
from resources.tables import Table, asset_keys

CODE_VERSION = "1"
# Days whose coverage is looked at, the fewest that say anything, and the band it must not leave
# beyond chance.
COVERAGE_DAYS, LEAST_COVERAGE_DAYS = 28, 14
BAND = (0.93, 0.97)
_DEVIATIONS = 2.58


def _out(table: Table) -> dg.AssetOut:
    return dg.AssetOut(
        **asset_fields(table),
        kinds={"parquet", "python"},
        code_version=CODE_VERSION,
        io_manager_key="tables",
    )


@dg.multi_asset(
    name="forecast_use",
    outs={
        "accuracy": _out(ACCURACY),
        "hours": _out(HOURS),
        "report": dg.AssetOut(
            key=[GROUP, "report"],
            description="The last weeks and the next seven days as a picture, marketing windows, "
            "what to provision.",
            group_name=GROUP,
            owners=[OWNER],
            kinds={"report"},
            code_version=CODE_VERSION,
            io_manager_key="reports",
        ),
    },
    deps=asset_keys((SPEC.predictions, *SPEC.predicts_from)),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Holds the forecasts of the day before against what it was, and makes the capacity "
    "plan and the report.",
)
def forecast_use(
    context: dg.AssetExecutionContext,
    source: SourceResource,
    engine: EngineResource,
    registry: RegistryResource,
    settings: ModelSettings,
) -> Iterator[dg.Output[Any]]:
    """Judge earlier forecasts, plan hours and report, for each day of the run."""
    from engagement_assets.lifecycle.daily import one_or_all  # noqa: PLC0415 - loads pandas
    from engagement_assets.models.forecast.outlook import day_of_forecasts  # noqa: PLC0415 - heavy

    inputs = inputs_of(SPEC, engine=engine, registry=registry, source=source, settings=settings)
    made = {}
    for day in partition_days(context):
        version = _version(inputs.engine.lake, day)
        model = None if version is None else registered(registry.registry, SPEC.name, version)
        made[day.isoformat()] = day_of_forecasts(inputs, model, day)
    for noun in ("accuracy", "hours", "report"):
        values: dict[str, Any] = {
            key: Report(one.figures, one.text) if noun == "report" else getattr(one, noun)
            for key, one in made.items()
        }
        yield dg.Output(one_or_all(values), noun)


def _version(lake: Lake, day: date) -> str | None:
    """Return the version that made a day's forecasts, or None where there are none."""
    if not lake.exists(SPEC.predictions, day):
        return None
    versions = lake.read(SPEC.predictions, days=[day], columns=["model_version"])
    return str(versions.column(0)[0].as_py()) if versions.num_rows else None


def coverage_band(checked: CheckedTable) -> Outcome:
    """Judge whether the intervals of the last weeks held as often as they promise."""
    last = checked.days[-1]
    first = last - timedelta(days=COVERAGE_DAYS - 1)
    days = [day for day in checked.lake.days(ACCURACY.key) if first <= day <= last]
    shares = []
    for day in days:
        covered = checked.lake.read(ACCURACY.key, days=[day], columns=["covered"]).column(0)
        if len(covered):
            shares.append(sum(covered.to_pylist()) / len(covered))
    return judge_coverage(shares, last)


def judge_coverage(shares: list[float], day: date) -> Outcome:
    """Judge daily shares of values in their interval; a day's values move together."""
    n = len(shares)
    if n < LEAST_COVERAGE_DAYS:
        return Outcome(note=f"{n} days of forecasts have come true; {LEAST_COVERAGE_DAYS} say it")
    mean = sum(shares) / n
    deviation = math.sqrt(sum((share - mean) ** 2 for share in shares) / (n - 1))
    chance = _DEVIATIONS * deviation / math.sqrt(n)
    figures = {"coverage": mean, "chance": chance, "days": n}
    if mean + chance < BAND[0] or mean - chance > BAND[1]:
        return Outcome(
            f"95 % intervals held {mean:.1%} of the values of {n} days, outside of {BAND[0]:.0%} "
            f"to {BAND[1]:.0%} by more than chance (± {chance:.1%}): train the forecast again, and "
            "look for a level shift in its evaluation",
            [day],
            figures,
        )
    return Outcome(metadata=figures)


ASSETS = [forecast_use]
CHECKS = [
    table_checks(
        "forecast_checks",
        TABLES,
        further=[
            FurtherCheck(
                ACCURACY,
                "coverage_band",
                "The 95 % intervals of the last four weeks held 93 to 97 % of the values, give or "
                "take chance.",
                coverage_band,
            )
        ],
    )
]
