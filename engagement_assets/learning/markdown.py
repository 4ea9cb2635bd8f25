"""Text and tables as Markdown that any name can stand in.

Belongs here: the layout of texts and tables. Does not belong here: what a report says, and what a
name becomes (`escaping.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engagement_assets.learning.escaping import one_line, unlinked

LEFT, RIGHT = "---", "---:"


def inline(text: object) -> str:
    r"""Return a text that stands in a sentence, a list or a cell: on one line, `|` as `\|`.

    A name that looks like a link, an address, a picture or a tag is shown as it is: a browser would
    load what a customer called their place.
    """
    return _cell(unlinked(one_line(text)))


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    align: Sequence[str] = (),
    own: bool = False,
) -> str:
    """Return a table, every cell escaped.

    Args:
        head: c names of columns.
        rows: Rows of c cells.
        align: c of `LEFT` and `RIGHT`; all to the left where empty.
        own: Whether all cells are words of this product for its documentation, which are left as
            they are but for `|`: what breaks a name's syntax would be copied with them.

    Raises:
        ValueError: When a row has another number of cells than the head.
    """
    escaped = _cell if own else inline
    lines = [_line(escaped(cell) for cell in head), f"|{'|'.join(align or [LEFT] * len(head))}|"]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"a row has {len(row)} cells, the head has {len(head)}: {row}")
        lines.append(_line(escaped(cell) for cell in row))
    return "\n".join(lines)


def _cell(text: object) -> str:
    return one_line(text).replace("|", r"\|")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
