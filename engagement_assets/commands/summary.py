"""What `make run` says at its beginning and end.

Belongs here: reading what was made and putting it in words. Does not belong here: making it. It
loads the definitions, so the home must be known before it is imported.
"""

from collections.abc import Container
from datetime import UTC, date, datetime

import dagster as dg

from engagement_assets.decisions.experiments.tables import RESULTS
from engagement_assets.decisions.specs import LEARNT, TRAINED
from engagement_assets.definitions import defs
from engagement_assets.deployments.resources import PLATFORMS, resources_of
from engagement_assets.features.assets import SUGGESTION
from engagement_assets.features.catalogue import CUSTOMER_FEATURES, FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.checks import NOT_TRAINED, VERDICT
from engagement_assets.lifecycle.gates import NOT_JUDGED, PASSED
from engagement_assets.lifecycle.reports import baseline_lines
from engagement_assets.lifecycle.spec import LABEL_WINDOWS, UseCaseSpec, label_windows
from engagement_assets.models.specs import MODELS
from engagement_assets.settings.deployment import choose
from engagement_assets.settings.installation import SIMULATED, Settings
from engagement_assets.source.contract import TABLES
from resources.lake import Lake
from resources.registry import ModelRegistry

# of the longest name
WIDTH = max(len(spec.name) for spec in TRAINED)


def headline(settings: Settings) -> str:
    """What is about to be made."""
    what = (
        f"{settings.customers:,} simulated customers (seed {settings.seed})"
        if settings.source == SIMULATED
        else f"source {settings.source} from {settings.source_data}"
    )
    lake = resources_of(settings)["lake"].root
    return f"{what}, {settings.start} to {settings.end}\nthe lake is {lake}\n\n"


def summary(settings: Settings, instance: dg.DagsterInstance, *, seconds: float) -> str:
    """What was made, the headline figures, and where to look."""
    own = resources_of(settings)
    lake = own["lake"].lake
    lines = ["", f"Done in {seconds:.0f} s.", "", "Raw tables"]
    rows = {name: _rows(lake, f"source/{name}") for name in TABLES}
    shown = {name: count for name, count in rows.items() if count}
    lines += [f"  {name:<24} {count:>12,} rows" for name, count in shown.items()]
    absent = [name for name, count in rows.items() if not count]
    if absent:
        lines.append(f"  without rows: {', '.join(absent)}")
    lines.append(f"  {'quarantine':<24} {_rows(lake, 'source/quarantine'):>12,} rows")
    lines += _features(lake, settings.end)
    lines += _window(instance)
    lines += _models(own["registry"].registry, lake, settings.end)
    lines += _experiments(lake, settings.end)
    unserved = _unserved(own["registry"].registry, instance)
    lines += _checks(instance, but=unserved)
    lines += ["", "Where to look", *(f"  {line}" for line in choose(PLATFORMS).places(settings))]
    if unserved:
        lines += ["", "Not served", *(f"  {name:<{WIDTH}} {why}" for name, why in unserved.items())]
        lines.append('  take a refused version on record: make accept MODEL=… VERSION=… REASON="…"')
    return "\n".join(lines) + "\n"


def _rows(lake: Lake, table: str) -> int:
    return sum(lake.row_count(table, day) for day in lake.filled_days(table))


def _features(lake: Lake, day: date) -> list[str]:
    days = lake.days(CUSTOMER_FEATURES)
    count = lake.row_count(CUSTOMER_FEATURES, day) if day in days else 0
    return [
        "",
        f"Features  {len(FEATURES)} of {count:,} customers at {day}; {len(days)} snapshots",
    ]


def _window(instance: dg.DagsterInstance) -> list[str]:
    """What the gaps between visits say of the churn window."""
    key = dg.AssetKey(LABELS["churn_30_day"].asset_key)
    event = instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event else None
    text = made.metadata.get(SUGGESTION) if made else None
    return [] if text is None else [f"Churn     {text.value}"]


def _models(registry: ModelRegistry, lake: Lake, day: date) -> list[str]:
    """Each model's version, what it was learnt from, how its gates judge it, its predictions."""
    lines = ["", "Models, on customers or days they did not see (95 % intervals)"]
    for spec in TRAINED:
        version = registry.champion(spec.name)
        if version is None:
            lines.append(f"  {spec.name:<{WIDTH}} no champion: see the end")
            continue
        card = registry.card(spec.name, version)
        predicted = (
            f"{lake.row_count(spec.output, day):,} rows at {day}"
            if lake.exists(spec.output, day)
            else "nothing predicted"
        )
        of = (
            f"{card['training_customers']:,} customers at "
            f"{len(card['training_snapshots'])} snapshots"
            if "training_customers" in card
            else f"{card['history_days']} days"
        )
        until = card["training_snapshots"][0]
        lines.append(f"  {spec.name:<{WIDTH}} {version}, of {of} up to {until}; {predicted}")
        accepted = registry.acceptance(spec.name, version)
        if accepted is not None:
            lines.append(f"  {'':<{WIDTH}} refused, and {accepted}")
        judgements = [gate.shown(card) for gate in spec.gates]
        lines += [
            f"  {'':<{WIDTH}} {'' if one.state == PASSED else f'{one.state}: '}{one.text}"
            for one in judgements
        ]
        lines += [f"  {'':<{WIDTH}} {line}" for line in baseline_lines(card)]
    return lines


def _experiments(lake: Lake, day: date) -> list[str]:
    """What each experiment shows, in a word."""
    if not lake.exists(RESULTS.key, day):
        return []
    rows = lake.read(RESULTS.key, days=[day]).to_pylist()
    verdicts = {row["experiment"]: (row["experiment_verdict"], row["blocked"]) for row in rows}
    lines = ["", "Experiments"] if verdicts else []
    for name, (verdict, blocked) in sorted(verdicts.items()):
        why = f": {blocked.split(';')[0]}" if blocked else ""
        lines.append(f"  {name:<24} {verdict}{why}")
    return lines


def _unserved(registry: ModelRegistry, instance: dg.DagsterInstance) -> dict[str, str]:
    """Why a model's candidate does not serve, or its acceptance has ended, by model."""
    reasons = {}
    for spec in TRAINED:
        version, refusal = registry.champion(spec.name), registry.refused(spec.name)
        accepted = None if version is None else registry.acceptance(spec.name, version)
        alone = "the rule decides" if spec in LEARNT else "nothing serves"
        serving = f"{version} serves on" if version else alone
        if refusal is not None:
            reasons[spec.name] = (
                f"{serving}; candidate {refusal.version} is refused: {'; '.join(refusal.reasons)}"
            )
        elif version is None:
            reasons[spec.name] = f"{serving}: {_not_trained(instance, spec)}"
        elif accepted is not None and not accepted.stands(datetime.now(UTC).date()):
            reasons[spec.name] = f"{serving}, though its acceptance ended on {accepted.until}"
        if version is not None:
            learnt, windows = registry.card(spec.name, version)[LABEL_WINDOWS], label_windows(spec)
            other = [
                f"{learnt[name]}, not {days}"
                for name, days in windows.items()
                if learnt[name] != days
            ]
            if other:
                before = reasons.get(spec.name, serving)
                reasons[spec.name] = f"{before}; what serves looks at days: {', '.join(other)}"
    return reasons


def _not_trained(instance: dg.DagsterInstance, model: UseCaseSpec) -> str:
    event = instance.get_latest_materialization_event(dg.AssetKey([model.name, model.candidate]))
    made = event.asset_materialization if event else None
    reason = made.metadata.get(NOT_TRAINED) if made else None
    return "it was not trained" if reason is None else str(reason.value)


def unserved_models(settings: Settings) -> list[str]:
    """Return the models that have no champion."""
    registry = resources_of(settings)["registry"].registry
    return [spec.name for spec in MODELS if registry.champion(spec.name) is None]


def _checks(instance: dg.DagsterInstance, *, but: Container[str]) -> list[str]:
    """Count checks and list those that did not pass, but of models that are spoken of elsewhere."""
    keys = list(defs.resolve_asset_graph().asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    warned: list[str] = []
    unjudged = refused = 0
    failed: list[str] = []
    for key, record in latest.items():
        if record.status.value != "SUCCEEDED":
            event = record.event.dagster_event if record.event else None
            data = event.event_specific_data if event else None
            text = getattr(data, "description", None)
            verdict = getattr(data, "metadata", {}).get(VERDICT)
            if verdict is not None and verdict.value == NOT_JUDGED:
                unjudged += 1
                continue
            severity = getattr(data, "severity", dg.AssetCheckSeverity.ERROR)
            group = warned if severity is dg.AssetCheckSeverity.WARN else failed
            about = f" – {text}" if text else ""
            if group is failed and key.asset_key.path[0] in but:
                refused += 1
                continue
            group.append(f"{key.asset_key.to_user_string()}: {key.name}{about}")
    passed = len(latest) - len(warned) - len(failed) - unjudged - refused
    head = (
        f"Checks  {passed} passed, {unjudged} could not be judged, {len(warned)} warned, "
        f"{len(failed) + refused} did not, of {len(keys)}"
    )
    marked = [
        *(f"  ! {line}" for line in sorted(failed)),
        *(f"  ~ {line}" for line in sorted(warned)),
    ]
    return ["", head, *marked]
