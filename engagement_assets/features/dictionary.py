"""The data dictionary: raw tables from the contract, signals, features from the catalogue.

    python -m engagement_assets.features.dictionary > docs/data-dictionary.md

Belongs here: writing it. Does not belong here: what stands in it.
"""

import sys

from engagement_assets.features.catalogue import dictionary_markdown
from engagement_assets.signals.schemas import SIGNAL_SCHEMAS
from engagement_assets.source.contract import TABLES, Field, SourceTable
from resources.schema import TableSchema


def document() -> str:
    """The whole dictionary as Markdown."""
    parts = [
        "# Data dictionary",
        "Made by `python -m engagement_assets.features.dictionary > docs/data-dictionary.md`; a "
        "test holds it current.",
        "## Raw tables",
        *(_table(table) for table in TABLES.values()),
        "## Signal tables",
        *(_signal(name, schema) for name, schema in SIGNAL_SCHEMAS.items()),
        dictionary_markdown().replace("\n## ", "\n### ").replace("# Feature", "## Feature", 1),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(table: SourceTable) -> str:
    lines = [
        f"### `{table.name}`",
        "",
        f"{table.meaning}. {'Required' if table.required else 'Optional'}. "
        f"Key: {', '.join(f'`{name}`' for name in table.key)}.",
        "",
        "| column | type | null | legal values | personal | meaning |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{field.name}` | {field.type} | {'yes' if field.nullable else 'no'} "
        f"| {_legal(field)} | {'yes' if field.personal else ''} | {field.meaning}"
        f"{f' ({field.unit})' if field.unit else ''} |"
        for field in table.fields
    ]
    return "\n".join(lines)


def _signal(name: str, schema: TableSchema) -> str:
    lines = [f"### `{name}`", "", "| column | type | null | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{column.name}` | {column.type} | {'yes' if column.nullable else 'no'} "
        f"| {column.description} |"
        for column in schema.columns
    ]
    return "\n".join(lines)


def _legal(field: Field) -> str:
    if field.allowed:
        return ", ".join(field.allowed)
    bounds = [
        f"{sign} {bound:,g}"
        for sign, bound in (("≥", field.minimum), ("≤", field.maximum))
        if bound is not None
    ]
    if field.not_before_event:
        bounds.append("not before the event")
    if field.names_customer:
        bounds.append("a known customer")
    return ", ".join(bounds)


if __name__ == "__main__":
    sys.stdout.write(document())
