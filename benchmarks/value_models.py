"""Engagement and lifetime value against the best possible, which the simulator's truth gives.

    python -m benchmarks.value_models --customers 10000 --lake LAKE --json FILE

Simulates a world (a lake that is there is reused), lands the snapshots that both models learn from
and are scored on, trains, evaluates, explains every customer and compares with the truth. Belongs
here: measuring. Does not belong here: the models.
"""

import argparse
from datetime import date
from typing import Any

from benchmarks import stages
from benchmarks.stages import DAYS, FIRST_DAY, SQL
from engagement_assets.features.labels import LABELS
from engagement_assets.models.dates import Snapshots
from resources.lake import Lake
from resources.sql import SqlFolder

ENGAGEMENT = LABELS["engagement_score"]
VALUE = LABELS["lifetime_value_usd"]


def snapshots(options: Any, window_days: int) -> Snapshots:
    """Training and test snapshots of a label."""
    return Snapshots.before(stages.end(options), first_day=FIRST_DAY, window_days=window_days)


def prepare(options: Any) -> None:
    """Simulate the world and land signals, features and labels; what is there stays."""
    lake, sql = Lake(options.lake), SqlFolder(SQL)
    if not lake.days("source/sessions"):
        stages.stage_simulate(options)
    wanted: dict[date, list[str]] = {stages.end(options): []}
    for label in (ENGAGEMENT, VALUE):
        for day in snapshots(options, label.window_days).all:
            wanted.setdefault(day, []).append(label.name)
    _signals(options, [day for day in sorted(wanted) if not lake.exists(_FEATURES, day)])
    run = stages.engine(options)
    from engagement_assets.features.snapshot import land_labels, land_snapshot  # noqa: PLC0415

    for day, labels in sorted(wanted.items()):
        if not lake.exists(_FEATURES, day):
            land_snapshot(run, sql, day)
        missing = [name for name in labels if not lake.exists(LABELS[name].table, day)]
        if missing:
            land_labels(run, sql, day, names=missing)


_FEATURES = "features/customer_features"


def _signals(options: Any, days: list[date]) -> None:
    from engagement_assets.signals.network.metrics import MetricSettings  # noqa: PLC0415
    from engagement_assets.signals.network.snapshot import graph_of, land_network  # noqa: PLC0415
    from engagement_assets.signals.sentiment.scoring import (  # noqa: PLC0415
        land_customer_sentiment,
        window_days,
    )

    if not days:
        return
    there = set(Lake(options.lake).days("sentiment/scores"))
    windows = {
        d for day in days for d in window_days(day, first_day=FIRST_DAY, days=stages.WINDOW)
    } - there
    if windows:
        stages.score(options, sorted(windows))
    run, sql, consent = stages.engine(options), SqlFolder(SQL), stages.agreed(options)
    for day in days:
        land_customer_sentiment(
            run, sql, day, first_day=FIRST_DAY, days=stages.WINDOW, consent=consent
        )
        land_network(
            run.lake, graph_of(run, sql, day), day, settings=MetricSettings(seed=7), threads=2
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--lake", required=True)
    options = parser.parse_args()
    prepare(options)


if __name__ == "__main__":
    main()
