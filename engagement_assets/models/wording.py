"""Tables as Markdown, for every report.

Belongs here: layout. Does not belong here: what is in a report.
"""

from __future__ import annotations

from typing import Any

import pandas as pd


def table_markdown(table: pd.DataFrame) -> str:
    """A small table as Markdown, numbers to four significant digits."""

    def text(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    head = [str(name).replace("_", " ") for name in table.columns]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join(text(value) for value in row) + " |"
        for row in table.itertuples(index=False, name=None)
    ]
    return "\n".join(lines)
