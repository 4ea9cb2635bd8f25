"""By which mapping the raw tables of a lake were taken in.

Each partition has the digest of what its rows were made by: the table's SQL and the settings of the
source. Belongs here: telling which tables a lake has by another mapping. Does not belong here:
taking them in again (`ingestion.py`, `commands/pipeline.py`).
"""

from collections.abc import Sequence
from datetime import date

from engagement_assets.source.contract import TABLES
from engagement_assets.source.errors import MappingChangedError
from engagement_assets.source.readers import SourceReader
from resources.lake import Lake


def changed_tables(
    reader: SourceReader, lake: Lake, *, before: date | None = None
) -> dict[str, str]:
    """Find the tables whose rows in the lake were made by another mapping than today's.

    Args:
        reader: The source.
        lake: Its lake.
        before: Look at partitions before this day only; at all by default.

    Returns:
        What happened to each, such as `changed`, by table; nothing for a lake without rows.
    """
    return {
        name: "added" if not made_by else "changed" if name in reader.provides() else "removed"
        for name in TABLES
        for made_by in _digests(lake, TABLES[name].key, before)
        if made_by != reader.digest(name)
    }


def _digests(lake: Lake, table: str, before: date | None) -> list[str]:
    """Digests of the first and the last partition; a run that was killed leaves two."""
    days = [day for day in lake.days(table) if before is None or day < before]
    return list(dict.fromkeys(lake.note(table, day) for day in (days[:1] + days[-1:])))


def check_unchanged(reader: SourceReader, lake: Lake, first: date) -> None:
    """Check that the days before `first` were taken in by today's mapping.

    Raises:
        MappingChangedError: They were not.
    """
    changed = changed_tables(reader, lake, before=first)
    if changed:
        raise MappingChangedError(describe(reader, changed))


def describe(reader: SourceReader, changed: dict[str, str]) -> str:
    """Say which tables changed and what to do."""
    listed = "; ".join(
        f"{what}: {', '.join(_named(changed, what))}"
        for what in ("changed", "added", "removed")
        if _named(changed, what)
    )
    return (
        f"the mapping of source {reader.name} is not the one by which its rows were taken in "
        f"({listed}): its SQL, or time zone, consents, parameters or first day in source.toml; "
        "take all days in again by `make run REINGEST=1`, or undo the change"
    )


def _named(changed: dict[str, str], what: str) -> Sequence[str]:
    return sorted(name for name, kind in changed.items() if kind == what)
