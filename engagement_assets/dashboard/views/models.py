"""Which versions serve, how good and how fair they are, and what became of earlier ones."""

from datetime import date

import pandas as pd

from engagement_assets.dashboard.pictures import (
    Document,
    Drawing,
    Picture,
    bars,
    document_of,
    intervals,
    picture_of,
)
from engagement_assets.dashboard.reading import Reader, Reading
from engagement_assets.decisions.specs import LEARNT
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.governance.audit.cards import MODEL, POLICY, documents
from engagement_assets.lifecycle.spec import DecisionSpec, UseCaseSpec
from engagement_assets.models.drift import moved_since
from engagement_assets.models.specs import EVERY_MODEL

SPECS: dict[str, UseCaseSpec] = {
    spec.name: spec for spec in (*EVERY_MODEL, *LEARNT) if "champion" in spec.training_parts
}
# reports of a model's assets, by noun
REPORTS = {
    "evaluation": "Its evaluation, with the search behind it",
    "fairness": "Its fairness",
    "explanations": "What moves its scores",
}


def pictures(reader: Reader, model: str) -> list[Picture | Document]:
    """Return the page of a model."""
    parts = (*SPECS[model].training_parts, *SPECS[model].daily_parts)
    return [
        evaluation(reader, model),
        gates(reader, model),
        versions(reader, model),
        *(
            document_of(reader, f"{model}/{part}", title)
            for part, title in REPORTS.items()
            if part in parts
        ),
        card(reader, model),
    ]


def card(reader: Reader, model: str) -> Document:
    """Return the card of the version that serves."""
    spec = SPECS[model]
    if isinstance(spec, DecisionSpec):
        text = documents((), (spec,), (), reader.registry)[POLICY][model]
    else:
        text = documents((spec,), (), (), reader.registry)[MODEL][model]
    return Document("Its card", text, f"{model}/champion", _day(_card(reader, model)))


def inputs(reader: Reader, model: str) -> Picture:
    """Return how far each feature moved since the latest snapshot that the champion learnt from."""
    learnt = _card(reader, model).get("training_snapshots", ())
    days = [day for day in reader.lake.days(CUSTOMER_FEATURES) if day.isoformat() in learnt]
    now = reader.last_day(CUSTOMER_FEATURES)
    moved = {}
    if now is not None and days and days[-1] < now:
        before, current = (
            reader.lake.read(CUSTOMER_FEATURES, days=[day]) for day in (days[-1], now)
        )
        moved = moved_since(reader.lake, before, current, reference=days[-1], day=now)
    made = [
        {
            "feature": name.replace("_", " "),
            "PSI": one.index,
            "limit": one.limit,
            "beyond": one.beyond,
        }
        for name, one in moved.items()
    ]
    rows = pd.DataFrame(made, columns=["feature", "PSI", "limit", "beyond"])
    beyond = sum(one.beyond for one in moved.values())
    return picture_of(
        "Have its inputs moved?",
        rows,
        Reading(rows, CUSTOMER_FEATURES, now),
        chart=bars(rows, of="feature", value="PSI", label="Population stability index"),
        note=f"{beyond} of {len(rows)} features moved beyond their limit since "
        f"{days[-1] if days else 'training'}; the limit is what chance and the calendar explain.",
        empty="No version serves, or it learnt from the newest snapshot.",
    )


def _card(reader: Reader, model: str) -> dict:
    version = reader.registry.champion(model)
    return reader.registry.card(model, version) if version else {}


def _day(card: dict) -> date | None:
    day = max(card.get("test_snapshots") or card.get("training_snapshots") or [""])
    return date.fromisoformat(day) if day else None


def evaluation(reader: Reader, model: str) -> Picture:
    """Return the metrics of the champion on customers or days that it did not see."""
    version = reader.registry.champion(model)
    card = _card(reader, model)
    made = [
        {"metric": name.replace("_", " "), **{end: float(given[end]) for end in _ENDS}}
        for name, given in card.get("metrics", {}).items()
        if isinstance(given, dict) and all(given.get(end) is not None for end in _ENDS)
    ]
    rows = pd.DataFrame(made, columns=["metric", *_ENDS])
    people = card.get("test_customers")
    return _picture(
        "How good it is",
        rows,
        model,
        card,
        "No version serves: the gates below say why."
        if not version
        else "The card has no metrics.",
        chart=None
        if rows.empty
        else intervals(rows, of="metric", value="value", low="low", high="high", label="Value"),
        note=f"Version {version}, on {people:,} customers it did not see, with 95 % intervals."
        if people
        else f"Version {version}, on days or customers it did not see, with 95 % intervals.",
    )


def gates(reader: Reader, model: str) -> Picture:
    """Return how the gates judge the champion, or why the last candidate was refused."""
    version = reader.registry.champion(model)
    card = _card(reader, model)
    judged = [gate.shown(card) for gate in SPECS[model].gates] if version else []
    made = [{"version": version, "state": one.state, "why": one.text} for one in judged]
    refusal = reader.registry.refused(model)
    if refusal is not None:
        made += [
            {"version": refusal.version, "state": "refused", "why": why} for why in refusal.reasons
        ]
    return _picture("What its gates say", pd.DataFrame(made), model, card, "It was not trained.")


def versions(reader: Reader, model: str) -> Picture:
    """Return what happened to its versions, the latest first."""
    rows = pd.DataFrame(reader.registry.history(model)[::-1])
    of = {} if rows.empty else {"test_snapshots": [rows["at"].iloc[0][:10]]}
    return _picture("Versions", rows, model, of, "No version has served.")


_ENDS = ("value", "low", "high")


def _picture(
    title: str,
    rows: pd.DataFrame,
    model: str,
    card: dict,
    empty: str,
    *,
    chart: Drawing | None = None,
    note: str = "",
) -> Picture:
    return Picture(
        title,
        rows,
        f"{model}/{SPECS[model].candidate}",
        _day(card),
        chart,
        note,
        empty,
    )
