"""One page of everything that the platform does, with the figures that were measured of it.

    python -m benchmarks.capabilities      # writes docs/capabilities.md; benchmarks.all does too

Belongs here: laying the page out. Does not belong here: what there is (`capabilities.toml`) and the
figures (`bars.py`).
"""

import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import Judged, figures_of, judged
from engagement_assets.learning import markdown

HERE = Path(__file__).parent
DECLARED = HERE / "capabilities.toml"
PAGE = HERE.parent / "docs" / "capabilities.md"
SECTIONS = {"models": "Models", "use_cases": "Use cases", "promises": "Promises"}
INTRODUCTION = """# What the platform does

Made by `python -m benchmarks.capabilities` from `benchmarks/capabilities.toml` and the last
measured figures; how each was measured, on which machine and when, stands in
[RESULTS.md](../benchmarks/RESULTS.md). A bar that is not met says **no**."""


def declared() -> dict[str, Any]:
    """Return what there is."""
    return tomllib.loads(DECLARED.read_text())


def own_bars(figures: Sequence[str], bars: Sequence[Judged]) -> list[Judged]:
    """Return the bars that speak of a capability.

    Args:
        figures: Beginnings of the parts that hold its figures, each with a word that its bars have
            after a colon, where the part holds those of others too.
        bars: All.
    """
    return [bar for bar in bars if any(_speaks(figure, bar) for figure in figures)]


def page(bars: Sequence[Judged]) -> str:
    """Return the page."""
    content = declared()
    parts = [INTRODUCTION]
    for section, title in SECTIONS.items():
        parts.append(f"## {title}")
        for one in content[section]:
            parts += _capability(one, bars)
    parts.append("## What takes the place of what such platforms are usually drawn with")
    used = list(content["technologies"].items())
    parts.append(markdown.table(("usual", "here, and why"), used, own=True))
    return "\n\n".join(parts) + "\n"


def _capability(one: dict[str, Any], bars: Sequence[Judged]) -> Iterator[str]:
    assets = ", ".join(f"`{key}`" for key in one["assets"])
    yield f"### {one['title']}"
    yield one["does"] + (f" Assets: {assets}." if assets else "") + f" Use: {one['use']}."
    own = own_bars(one["figures"], bars)
    if own:
        rows = [(bar.what, bar.bar, bar.figure, bar.verdict) for bar in own]
        yield markdown.table(("what", "expected", "measured", "met"), rows, own=True)


def _speaks(figure: str, bar: Judged) -> bool:
    part, _, word = figure.partition(": ")
    whole = bar.part == part or bar.part.startswith((f"{part}-", f"{part}_"))
    return whole and word in bar.what


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(judged(figures_of(HERE / "results"))))
    sys.stdout.write(f"written: {PAGE.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    write()
