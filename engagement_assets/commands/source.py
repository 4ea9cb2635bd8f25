"""What `engagement map`, `check-source` and `quarantine` do: a source looked at by a person.

Belongs here: putting it in words. Does not belong here: drafting and trying a mapping (`source/`).
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import MAPPINGS, SIMULATED
from engagement_assets.source.contract import TABLES
from engagement_assets.source.drafting import DOUBT, draft, files_of, near_misses, settings_text
from engagement_assets.source.mapping import SETTINGS_FILE
from engagement_assets.source.quarantine import QUARANTINE, label_of
from engagement_assets.source.rules import DUPLICATE_ROW
from engagement_assets.source.trial import try_mapping
from resources.lake import Lake

EXAMPLES = 3


def map_source(name: str, data: str, *, root: Path = MAPPINGS) -> Path:
    """Draft the mapping of a source into its folder, and say what is left to do.

    Raises:
        SettingsError: The source has a mapping already, or no name or data were given.
        SourceError: There is nothing to draft from.
    """
    _check_given(name, data)
    folder = root / name
    if folder.exists():
        raise SettingsError(f"SOURCE={name}: {folder} is there already; choose another name")
    files = files_of(Path(data))
    drafts = draft(files)
    folder.mkdir(parents=True)
    for table, sql in drafts.items():
        (folder / f"{table}.sql").write_text(sql, encoding="utf-8")
    (folder / SETTINGS_FILE).write_text(settings_text(list(drafts)), encoding="utf-8")
    misses = [one for one in near_misses(files).items() if one[0] not in drafts]
    doubts = sum(sql.count(DOUBT) for sql in drafts.values())
    sys.stdout.write(
        f"{folder}: drafts of {', '.join(drafts)}\n"
        f"{doubts} columns have no like among the files; tables without a draft: "
        f"{', '.join(sorted(TABLES.keys() - drafts.keys()))}\n"
        + "".join(f"  {table}: {reason}\n" for table, reason in misses)
        + "correct every line, then try it:\n"
        f"  make check-source SOURCE={name} SOURCE_DATA={data}\n"
    )
    return folder


def check_source(name: str, data: str, *, customers: int, root: Path = MAPPINGS) -> bool:
    """Try a mapping on a sample and print its profile; returns whether nothing was refused.

    Raises:
        SettingsError: No name or data were given.
        SourceError: The mapping cannot be run.
    """
    _check_given(name, data)
    began = time.monotonic()
    measured, report, refused, share = try_mapping(name, root=root, data=data, customers=customers)
    sys.stdout.write(
        f"source {name}: {share:.1%} of its customers, in {time.monotonic() - began:.1f} s\n"
        f"{measured.to_text()}"
    )
    if report.missing_tables:
        sys.stdout.write(f"  without a mapping            {', '.join(report.missing_tables)}\n")
    for table, columns in report.not_provided.items():
        sys.stdout.write(f"  {table:<12} without        {', '.join(columns)}\n")
    sys.stdout.write(quarantine_text(refused))
    return not measured.quarantined


def quarantine(lake: Lake, *, table: str | None = None) -> str:
    """What is in quarantine: how many rows for which reason, with examples."""
    days = lake.filled_days(QUARANTINE.key)
    rows = lake.read(QUARANTINE.key, days=days).to_pylist() if days else []
    return quarantine_text(row for row in rows if table in (None, row["table"]))


def quarantine_text(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows in quarantine by table and reason, most first, each with some of the rows."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        key = (row["table"], label_of(row["reason"]))
        counts[key] += 1
        if counts[key] <= EXAMPLES and row["reason"] != DUPLICATE_ROW:
            examples.setdefault(key, []).append(f"{row['reason']}: {row['row']}")
    if not counts:
        return "quarantine: no rows\n"
    lines = []
    for key, count in counts.most_common():
        lines.append(f"quarantine: {count:,} rows of {key[0]}: {key[1]}\n")
        lines += [f"    {example}\n" for example in examples.get(key, [])]
    return "".join(lines)


def _check_given(name: str, data: str) -> None:
    if not name or name == SIMULATED or not data:
        raise SettingsError(
            "SOURCE=… must name the source, and SOURCE_DATA=… must say where its raw files lie"
        )
