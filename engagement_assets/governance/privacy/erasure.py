"""Erasing customers: whom, from everywhere, for good, and what is certified of it.

Belongs here: the order in which it is done. Does not belong here: the places (`register.py`), the
predicate (`resources.subjects`), tombstones and signatures (`resources.erasures`).
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.governance.privacy.places import Place
from engagement_assets.source.contract import CUSTOMERS, ERASURE_REQUESTS, MERGES, TABLES
from resources.erasures import ErasureError, Erasures
from resources.lake import Lake
from resources.registry import ModelRegistry
from resources.subjects import Subjects
from resources.tables import Table

# What names a person alone, unless somebody else has it too.
CONTACTS = ("email", "full_name", "phone")
# Their ids are in memory at once.
DAYS_AT_ONCE = 50


@dataclass
class Findings:
    """What there is of some people.

    Attributes:
        counts: How much, by place; a place that holds nothing is 0.
        unknown: Places that could not be read, with why.
    """

    counts: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """What there is in all places that could be read."""
        return sum(self.counts.values())


def identified(lake: Lake, erasures: Erasures, customer_ids: Iterable[str]) -> Subjects:
    """Return people with all ids that they had, and what names them alone.

    Whom an unended erasure was about is among them, since their rows may be gone already.
    """
    pending = erasures.pending
    ids = {*customer_ids, *pending.get("ids", ())}
    merges = _rows(lake, MERGES, ("merged_id", "customer_id"))
    while (
        more := {name for row in merges if ids & set(row.values()) for name in row.values()} - ids
    ):
        ids |= more
    people = _rows(lake, CUSTOMERS, ("customer_id", "recorded_at", *CONTACTS))
    owners = Counter(
        (name, row[name], row["customer_id"] in ids) for row in people for name in CONTACTS
    )
    values = {
        value for name, value, own in owners if own and value and (name, value, False) not in owners
    }
    first = [row["recorded_at"].date() for row in people if row["customer_id"] in ids]
    first += [date.fromisoformat(day) for day in pending.get("known_since", ())]
    return Subjects(
        frozenset(ids),
        frozenset({*values, *pending.get("values", ())}),
        known_since=min(first, default=None),
    )


def requested(lake: Lake) -> set[str]:
    """Return customers who asked to be erased and are still there: their requests go with them."""
    return {row["customer_id"] for row in _rows(lake, ERASURE_REQUESTS, ("customer_id",))}


def returned(lake: Lake, erasures: Erasures) -> set[str]:
    """Return customers who were erased and are there again, as after a restore."""
    if not erasures.tombstones():
        return set()
    ids: set[str] = set()
    looked = pa.array([], pa.string())
    for table in TABLES.values():
        days = lake.filled_days(table.key) if table.customer_columns else []
        for start in range(0, len(days), DAYS_AT_ONCE):
            some = days[start : start + DAYS_AT_ONCE]
            rows = lake.read(table.key, days=some, columns=table.customer_columns)
            for name in table.customer_columns:
                names = pc.unique(rows.column(name)).drop_null()
                fresh = names.filter(pc.invert(pc.is_in(names, value_set=looked)))
                ids |= erasures.erased(fresh.to_pylist())
                looked = pa.concat_arrays([looked, fresh])
    return ids


def look(places: Sequence[Place], subjects: Subjects) -> Findings:
    """Count what there is of some people in every place; removes nothing."""
    findings = Findings()
    for place in places:
        try:
            findings.counts[place.name] = place.count(subjects)
        # whatever is wrong with a place: that it could not be read must not pass for nothing there
        except Exception as error:  # noqa: BLE001 - told of, and the erasure fails by it
            findings.unknown[place.name] = f"{type(error).__name__}: {error}"
    return findings


def erase(
    places: Sequence[Place],
    subjects: Subjects,
    *,
    erasures: Erasures,
    registry: ModelRegistry,
    models: Iterable[str],
    elsewhere: Mapping[str, str],
    serve_days: int,
    progress: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Erase some people from every place, for good, and certify it.

    Tombstones come first: from then on no delivery brings anybody back, whatever happens next. An
    erasure that fails or is killed is ended by the next one, which knows whom it was about.

    Args:
        places: Every place of the installation.
        subjects: The people.
        erasures: Where tombstones and certificates are kept.
        registry: The models.
        models: Those that learn from customers.
        elsewhere: What no process of the platform can empty, and what to do there.
        serve_days: Days up to which a model that may have learnt from them goes on serving.
        progress: Told of each place.

    Returns:
        The certificate.

    Raises:
        ErasureError: Something of them is left, or a place could not be read; nothing is certified.
            Or another erasure is at work, or was begun since the people were identified.
    """
    with erasures.alone():
        if set(erasures.pending.get("ids", ())) - subjects.ids:
            raise ErasureError("an erasure of others was begun meanwhile: run this one again")
        began = datetime.now(UTC)
        erasures.begin(
            {
                "ids": sorted(subjects.ids),
                "values": sorted(subjects.values),
                "known_since": [str(subjects.known_since)] if subjects.known_since else [],
            }
        )
        tombstones = erasures.bury(subjects.ids, at=began.isoformat(timespec="seconds"))
        removed, refused = {}, {}
        for place in places:
            try:
                removed[place.name] = place.remove(subjects)
                progress(f"{place.name}: {removed[place.name]:,} removed")
            except Exception as error:  # noqa: BLE001 - the other places are emptied all the same
                refused[place.name] = f"{type(error).__name__}: {error}"
        until = began.date() + timedelta(days=serve_days)
        # of whom nothing was known nothing was learnt
        retired = (
            retire_models(registry, models, known_since=subjects.known_since, until=until)
            if subjects.known_since
            else []
        )
        left = look(places, subjects)
        problems = [
            *(f"{name}: {count:,} left" for name, count in left.counts.items() if count),
            *(f"{name}: {why}" for name, why in {**left.unknown, **refused}.items()),
        ]
        if problems:
            raise ErasureError(
                f"the erasure is not whole, and nothing is certified: {'; '.join(problems)}; mend "
                "this and run `make erase CONFIRM=yes` again, which goes on with it"
            )
        return erasures.certify(
            {
                "certificate_id": uuid.uuid4().hex,
                "began_at": began.isoformat(timespec="seconds"),
                "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "people": tombstones,
                "removed": removed,
                "survivors": left.counts,
                "models": retired,
                "elsewhere": dict(elsewhere),
            }
        )


def retire_models(
    registry: ModelRegistry, models: Iterable[str], *, known_since: date, until: date
) -> list[dict[str, str]]:
    """Let what may have learnt from some people serve up to a day; what does not serve goes now.

    A version says from which days it learnt, not from whom: each that was made since they are known
    counts.

    Returns:
        The versions: `model`, `version`, and `until` or `removed`.
    """
    listed = []
    for name in models:
        learnt = [
            version
            for version in registry.versions(name)
            if str(registry.card(name, version)["registered_at"])[:10] >= known_since.isoformat()
        ]
        registry.retire(name, learnt, until=until, reason="it may have learnt from the erased")
        gone = set(registry.remove_retired(name))
        retired = registry.retired(name)
        listed += [
            {"model": name, "version": version}
            | ({"removed": "yes"} if version in gone else {"until": str(retired[version])})
            for version in learnt
        ]
    return listed


def _rows(lake: Lake, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    table: Table = TABLES[name]
    days = lake.filled_days(table.key)
    return lake.read(table.key, days=days, columns=columns).to_pylist() if days else []
