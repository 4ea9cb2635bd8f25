"""The data dictionary: every table of the lake, made from the declarations.

    python -m engagement_assets.governance.dictionary > docs/data-dictionary.md

Belongs here: writing it. Does not belong here: what stands in it.
"""

import sys
from collections.abc import Iterable

from engagement_assets.features.catalogue import FEATURE_TABLES, dictionary_markdown
from engagement_assets.governance.tables import KNOWN_TABLES
from engagement_assets.learning import markdown
from resources.tables import Table


def document(tables: Iterable[Table] = KNOWN_TABLES) -> str:
    """The whole dictionary as Markdown.

    The features have a part of their own, which says more of each; their tables are left out.
    """
    parts = [
        "# Data dictionary",
        "Made by `python -m engagement_assets.governance.dictionary > docs/data-dictionary.md`; a "
        "test holds it current. A row is found and removed by the columns that name a customer.",
        "## Tables",
        *(section(table) for table in tables if table.key not in FEATURE_TABLES),
        dictionary_markdown().replace("\n## ", "\n### ").replace("# Feature", "## Feature", 1),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def section(table: Table) -> str:
    """One table: what a row is and a line a column."""
    lines = [f"### `{table.key}`", "", table.description, ""]
    rows = []
    for column in table.columns:
        private = "names a customer" if column.names_customer else column.masking
        cells = (
            f"`{column.name}`",
            column.type,
            "yes" if column.nullable else "no",
            column.legal,
            private,
            column.text,
        )
        rows.append(cells)
    head = ("column", "type", "null", "legal values", "personal", "meaning")
    return "\n".join([*lines, markdown.table(head, rows)])


if __name__ == "__main__":
    sys.stdout.write(document())
