"""Text and tables as Markdown that any name can stand in.

Belongs here: escaping, and the layout of a table. Does not belong here: what a report says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LEFT, RIGHT = "---", "---:"
_TAG = re.compile(r"(?<!\\)<(?=[A-Za-z/!?])")


def one_line(text: object) -> str:
    """Return a text on one line: line breaks and tabs become spaces."""
    return " ".join(str(text).split())


def inline(text: object) -> str:
    r"""Return a text that stands in a sentence, a list or a cell: on one line, `|` as `\|`.

    A name that looks like a link, a picture or a tag is shown as it is: a browser would load what a
    customer called their place.
    """
    return _TAG.sub(r"\<", one_line(text).replace("|", r"\|").replace("](", r"]\("))


def table(
    head: Sequence[object], rows: Iterable[Sequence[object]], *, align: Sequence[str] = ()
) -> str:
    """Return a table, every cell escaped.

    Args:
        head: c names of columns.
        rows: Rows of c cells.
        align: c of `LEFT` and `RIGHT`; all to the left where empty.

    Raises:
        ValueError: When a row has another number of cells than the head.
    """
    lines = [_line(inline(cell) for cell in head), f"|{'|'.join(align or [LEFT] * len(head))}|"]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"a row has {len(row)} cells, the head has {len(head)}: {row}")
        lines.append(_line(inline(cell) for cell in row))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
