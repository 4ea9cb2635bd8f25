"""Who moved from which segment to which between two days.

Belongs here: counting moves. Does not belong here: drawing them (`pictures.py`), and the asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from engagement_assets.models.segments.pictures import moves_picture
from engagement_assets.models.segments.spec import SPEC
from engagement_assets.models.segments.tables import NONE, TRANSITIONS
from resources.lake import Lake

_READ = ["customer_id", "segment_id", "segment"]


@dataclass(frozen=True)
class Moves:
    """What a day's moves are.

    Attributes:
        table: Rows of `segments/transitions`.
        picture: The rows drawn, as Markdown; or why there is nothing to draw.
        moved: Share of those with a segment on both days who are in another, or None without any.
    """

    table: pd.DataFrame
    picture: str
    moved: float | None


def moves_of(lake: Lake, day: date) -> Moves:
    """Return who moved between the latest earlier day with segments and a day."""
    now = lake.read(SPEC.predictions, days=[day], columns=_READ).to_pandas()
    before = next(
        (
            (one, rows)
            for one in sorted(lake.days(SPEC.predictions), reverse=True)
            if one < day
            and len(rows := lake.read(SPEC.predictions, days=[one], columns=_READ).to_pandas())
        ),
        None,
    )
    if now.empty or before is None:
        reason = "the day has no segments" if now.empty else "no earlier day has segments"
        return Moves(TRANSITIONS.empty().to_pandas(), f"No moves: {reason}.", None)
    earlier, then = before
    table = transitions(then, now).assign(snapshot_date=day, before=earlier)
    names = {
        one: name
        for side in ("from", "to")
        for one, name in zip(table[f"{side}_segment_id"], table[f"{side}_segment"], strict=True)
    }
    picture = moves_picture(table, names, before=earlier.isoformat(), now=day.isoformat())
    return Moves(table[list(TRANSITIONS.names)], picture, moved_share(table))


def transitions(then: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Count customers by their segments on two days.

    Args:
        then: `customer_id`, `segment_id`, `segment` of the earlier day.
        now: The same of the later day.
    """
    both = then.merge(now, how="outer", on="customer_id", suffixes=("_then", "_now")).fillna(NONE)
    sides = {
        "from_segment_id": both["segment_id_then"],
        "from_segment": both["segment_then"],
        "to_segment_id": both["segment_id_now"],
        "to_segment": both["segment_now"],
    }
    table = pd.DataFrame(sides).groupby(list(sides)).size().rename("customers").reset_index()
    were = table.groupby("from_segment_id")["customers"].transform("sum")
    table["share_of_segment"] = table["customers"] / were
    table["share"] = table["customers"] / len(both)
    return table


def moved_share(table: pd.DataFrame) -> float | None:
    """Return the share of those with a segment on both days who are in another; None of nobody."""
    there = table[(table["from_segment_id"] != NONE) & (table["to_segment_id"] != NONE)]
    if there.empty:
        return None
    moved = there["from_segment_id"] != there["to_segment_id"]
    return float(there.loc[moved, "customers"].sum() / there["customers"].sum())
