"""How many customers are in which segment, what they are worth, and who moved."""

import altair as alt
import pandas as pd

from engagement_assets.dashboard.pictures import Document, Picture, bars, document_of, picture_of
from engagement_assets.dashboard.reading import Reader
from engagement_assets.decisions.customers.unified import CUSTOMERS
from engagement_assets.models.segments.tables import TRANSITIONS

# smaller ones would say something of a person
LEAST_CUSTOMERS = 10


def pictures(reader: Reader) -> list[Picture | Document]:
    """Return the page."""
    scores = {
        "churn_probability": "churn_probability",
        "engagement_score": "engagement_score",
        "future_revenue_usd": "future_revenue_usd",
    }
    reading = reader.newest(CUSTOMERS, ["segment", *scores])
    known = reading.rows.dropna(subset=["segment"])
    grouped = known.groupby("segment")
    rows = grouped[list(scores)].mean().assign(customers=grouped.size()).reset_index()
    small = rows["customers"] < LEAST_CUSTOMERS
    rows = rows[~small].sort_values("customers", ascending=False)
    note = (
        f"{len(known):,} of {len(reading.rows):,} customers are in a segment; "
        f"{int(small.sum())} of fewer than {LEAST_CUSTOMERS} are left out."
    )
    columns = ["segment", "customers"]
    return [
        picture_of(
            "How large each segment is",
            pd.DataFrame(rows[columns]),
            reading,
            chart=bars(rows[columns], of="segment", value="customers", label="Customers"),
            note=note,
            empty="No segments are found yet.",
        ),
        *(
            picture_of(
                title,
                pd.DataFrame(rows[["segment", name, "customers"]]),
                reading,
                chart=bars(
                    rows[["segment", name, "customers"]], of="segment", value=name, label=label
                ),
                note="Means of what the models predict; they differ between segments by who is "
                "in them, not by what a segment does.",
                empty="No segments are found yet.",
            )
            for name, title, label in (
                ("churn_probability", "Churn risk by segment", "Mean chance to churn"),
                ("engagement_score", "Engagement by segment", "Mean engagement (0-1)"),
                ("future_revenue_usd", "Value by segment", "Mean future revenue (USD)"),
            )
        ),
        moves(reader),
        document_of(reader, "segments/evaluation", "How steady the segments are"),
    ]


def moves(reader: Reader) -> Picture:
    """Return who moved from which segment to which since the last day with segments."""
    names = ["from_segment", "to_segment", "customers", "share_of_segment", "before"]
    reading = reader.newest(TRANSITIONS.key, names)
    rows = reading.rows[reading.rows["customers"] >= LEAST_CUSTOMERS]
    chart = (
        alt.Chart(rows, description="Who moved between segments")
        .mark_rect()
        .encode(
            x=alt.X(field="to_segment", type="nominal", title="Now"),
            y=alt.Y(field="from_segment", type="nominal", title="Before"),
            color=alt.Color(
                field="share_of_segment",
                type="quantitative",
                title="Share of those before",
                scale=alt.Scale(scheme="viridis", domain=[0, 1]),
            ),
            tooltip=[alt.Tooltip(field=name) for name in names],
        )
    )
    since = "" if rows.empty else f" since {rows['before'].iloc[0]}"
    return picture_of(
        "Who moved",
        rows,
        reading,
        chart=chart,
        note=f"From where to where{since}, those who stayed included; moves of fewer than "
        f"{LEAST_CUSTOMERS} are left out.",
        empty="Nobody can have moved yet: there is one day with segments.",
    )
