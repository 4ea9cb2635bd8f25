"""A picture with what stands beside it: its table, its date and the asset that it comes from.

Belongs here: the kinds of picture and their colours. Does not belong here: what is drawn
(`views/`) and Streamlit (`showing.py`).
"""

from dataclasses import dataclass, field
from datetime import date
from urllib.parse import quote

import altair as alt
import pandas as pd

from engagement_assets.dashboard.reading import Reader, Reading

# Okabe and Ito (2008), "Color universal design": told apart by colour-blind people too.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
Drawing = alt.Chart | alt.LayerChart | alt.FacetChart
# a bar more than this is no longer read
MOST_BARS = 20
NOT_MADE = "This table was not made yet: `make run` makes what it can."


def asset_url(dagster: str, key: str) -> str:
    """Return the address of an asset in the Dagster UI."""
    return f"{dagster.rstrip('/')}/assets/{quote(key)}"


class Sourced:
    """What is shown, with the asset that it comes from."""

    source: str
    day: date | None

    @property
    def caption(self) -> str:
        """The day and the source in words."""
        when = f"as of {self.day}" if self.day else "not made yet"
        return f"{when}, from {self.source}"

    def asset_url(self, dagster: str) -> str:
        """Address of its asset in the Dagster UI."""
        return asset_url(dagster, self.source)


@dataclass(frozen=True)
class Picture(Sourced):
    """A picture of a table.

    Attributes:
        title: What it answers, in words.
        rows: What is drawn, which is also the download.
        source: Key of the table that it comes from.
        day: The day that it is of, or None where nothing was made yet.
        chart: The drawing; None where the table alone says it, or there are no rows.
        note: What a reader must know: of how many, what cannot be said.
        empty: What stands instead where there are no rows.
    """

    title: str
    rows: pd.DataFrame
    source: str
    day: date | None
    chart: Drawing | None = None
    note: str = ""
    empty: str = field(default="There is nothing here yet.")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.rows.empty

    @property
    def file_name(self) -> str:
        """Name of the download."""
        day = self.day.isoformat() if self.day else "none"
        return f"{self.source.replace('/', '-')}-{day}.csv"


@dataclass(frozen=True)
class Document(Sourced):
    """A stored report.

    Attributes:
        title: What it says, in words.
        text: Markdown, with plots as data URIs; empty where it was not made.
        source: Key of its asset.
        day: The day that it is of, or None where it is of none or was not made.
    """

    title: str
    text: str
    source: str
    day: date | None

    @property
    def caption(self) -> str:
        """The day and the source in words; a report without partitions is of no day."""
        if self.day is None and self.text:
            return f"as last made, from {self.source}"
        return super().caption


def picture_of(
    title: str,
    rows: pd.DataFrame,
    reading: Reading,
    *,
    chart: Drawing | None = None,
    note: str = "",
    empty: str = "There is nothing here yet.",
) -> Picture:
    """Return a picture of what was read; a table without a day was not made, whatever `empty`."""
    drawn = None if rows.empty else chart
    return Picture(
        title, rows, reading.table, reading.day, drawn, note, empty if reading.day else NOT_MADE
    )


def document_of(reader: Reader, asset: str, title: str) -> Document:
    """Return the newest report of an asset."""
    report = reader.report(asset)
    return Document(
        title, report[0].markdown if report else "", asset, report[1] if report else None
    )


def bars(rows: pd.DataFrame, *, of: str, value: str, label: str, colour: str = BLUE) -> alt.Chart:
    """Return bars, one a row in the order of the rows."""
    chart: alt.Chart = (
        alt.Chart(rows.head(MOST_BARS), description=label)
        .mark_bar(color=colour)
        .encode(
            x=alt.X(field=value, type="quantitative", title=label),
            y=alt.Y(field=of, type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=220)),
            tooltip=[alt.Tooltip(field=name) for name in rows.columns],
        )
    )
    return chart


def intervals(
    rows: pd.DataFrame, *, of: str, value: str, low: str, high: str, label: str
) -> Drawing:
    """Return points with their intervals, one a row, and a line at zero."""
    base = alt.Chart(rows.head(MOST_BARS), description=label).encode(
        y=alt.Y(field=of, type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=220))
    )
    reach = base.mark_rule(color=BLUE, strokeWidth=3).encode(
        x=alt.X(field=low, type="quantitative", title=label), x2=alt.X2(field=high)
    )
    point = base.mark_point(color=BLUE, filled=True, size=80).encode(
        x=alt.X(field=value, type="quantitative"),
        tooltip=[alt.Tooltip(field=name) for name in rows.columns],
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=[4, 4]).encode(x="zero:Q")
    return alt.layer(zero, reach, point)


def band(rows: pd.DataFrame, *, when: str, value: str, low: str, high: str, label: str) -> Drawing:
    """Return a line over time within the band of its interval."""
    base = alt.Chart(rows, description=label).encode(
        x=alt.X(field=when, type="temporal", title=None)
    )
    area = base.mark_area(color=SKY, opacity=0.35).encode(
        y=alt.Y(field=low, type="quantitative", title=label), y2=alt.Y2(field=high)
    )
    line = base.mark_line(color=BLUE, point=True).encode(
        y=alt.Y(field=value, type="quantitative"),
        tooltip=[alt.Tooltip(field=name) for name in rows.columns],
    )
    return alt.layer(area, line)
