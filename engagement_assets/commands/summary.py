"""What `make run` says at its beginning and end.

Belongs here: reading what was made and putting it in words. Does not belong here: making it. It
loads the definitions, so the home must be known before it is imported.
"""

from collections import Counter
from datetime import date
from typing import Any

import dagster as dg

from engagement_assets.definitions import defs
from engagement_assets.deployments.resources import PLATFORMS, lake_of, registry_of
from engagement_assets.lifecycle.spec import metric_value
from engagement_assets.models.assets import MODELS
from engagement_assets.models.churn.spec import SPEC as CHURN
from engagement_assets.settings.deployment import choose
from engagement_assets.settings.installation import SIMULATED, Settings
from engagement_assets.source.contract import TABLES
from resources.lake import Lake

METRICS = (
    ("auc", "AUC"),
    ("precision_at_recall", "precision at 80 % recall"),
    ("f1", "F1"),
    ("log_loss", "log loss"),
    ("calibration_error", "calibration error"),
)


def headline(settings: Settings) -> str:
    """What is about to be made."""
    what = (
        f"{settings.customers:,} simulated customers (seed {settings.seed})"
        if settings.source == SIMULATED
        else f"source {settings.source} from {settings.source_data}"
    )
    where = choose(PLATFORMS).root(settings)
    return f"{what}, {settings.start} to {settings.end}\neverything goes to {where}\n\n"


def summary(settings: Settings, instance: dg.DagsterInstance, *, seconds: float) -> str:
    """What was made, the headline figures, and where to look."""
    lake = lake_of(settings)
    lines = ["", f"Done in {seconds:.0f} s.", "", "Raw tables"]
    rows = {name: _rows(lake, f"source/{name}") for name in TABLES}
    shown = {name: count for name, count in rows.items() if count}
    lines += [f"  {name:<24} {count:>12,} rows" for name, count in shown.items()]
    absent = [name for name, count in rows.items() if not count]
    if absent:
        lines.append(f"  without rows: {', '.join(absent)}")
    lines.append(f"  {'quarantine':<24} {_rows(lake, 'source/quarantine'):>12,} rows")
    lines += _features(lake, settings.end)
    lines += _churn(settings, lake)
    lines += _other_models(settings, lake)
    lines += _checks(instance)
    lines += ["", "Where to look", *(f"  {line}" for line in choose(PLATFORMS).places(settings))]
    return "\n".join(lines) + "\n"


def _rows(lake: Lake, table: str) -> int:
    return sum(lake.row_count(table, day) for day in lake.days(table))


def _features(lake: Lake, day: date) -> list[str]:
    days = lake.days("features/customer_features")
    count = lake.row_count("features/customer_features", day) if day in days else 0
    return ["", f"Features  49 of {count:,} customers at {day}; {len(days)} snapshots in the lake"]


def _churn(settings: Settings, lake: Lake) -> list[str]:
    registry = registry_of(settings)
    version = registry.champion("churn")
    if version is None:
        return ["", "Churn model  none"]
    card = registry.card("churn", version)
    lines = [
        "",
        f"Churn model {version}, learnt from {card['training_customers']:,} customers at "
        f"{len(card['training_snapshots'])} snapshots up to {card['training_snapshot']},",
        f"measured on {card['test_customers']:,} other customers at {card['test_snapshot']} "
        "(95 % intervals)",
    ]
    for name, words in METRICS:
        found = card["metrics"][name]
        lines.append(
            f"  {words:<24} {found['value']:.4f}   {found['low']:.4f} – {found['high']:.4f}"
        )
    lines.append(f"  top-decile lift          {card['lift'][0]['lift']:.2f}")
    if lake.exists("churn/predictions", settings.end):
        bands = Counter(
            lake.read("retention/choices", days=[settings.end], columns=["band"])
            .column("band")
            .to_pylist()
        )
        told = ", ".join(f"{bands[name]:,} {name}" for name in ("high", "medium", "low"))
        lines += ["", f"Predictions  {bands.total():,} active customers at {settings.end}: {told}"]
    return lines


def _other_models(settings: Settings, lake: Lake) -> list[str]:
    """One line a model: its version, its first figure, and how many it predicted."""
    registry = registry_of(settings)
    lines = ["", "Other models, on customers or days they did not see"]
    for spec in MODELS:
        if spec is CHURN:
            continue
        version = registry.champion(spec.name)
        if version is None:
            lines.append(f"  {spec.name:<16} no champion: its assets and their checks say why")
            continue
        card = registry.card(spec.name, version)
        floor = spec.gates[0]
        figure = f"{floor.words} {metric_value(card['metrics'][floor.metric]):.4f}"
        predicted = (
            f"{lake.row_count(spec.predictions, settings.end):,} predicted"
            if lake.exists(spec.predictions, settings.end)
            else "nothing predicted"
        )
        lines.append(f"  {spec.name:<16} {version}   {figure}; {predicted}")
    return lines


def _checks(instance: dg.DagsterInstance) -> list[str]:
    keys = list(defs.resolve_asset_graph().asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    failed = []
    passed = 0
    for key, record in latest.items():
        if record.status.value == "SUCCEEDED":
            passed += 1
        else:
            failed.append(f"{key.asset_key.to_user_string()}: {key.name}{_said(record)}")
    lines = ["", f"Checks  {passed} passed, {len(failed)} did not, of {len(keys)}"]
    return lines + [f"  ! {line}" for line in sorted(failed)]


def _said(record: Any) -> str:
    event = record.event.dagster_event if record.event else None
    data = event.event_specific_data if event else None
    text = getattr(data, "description", None)
    return f" – {text}" if text else ""
