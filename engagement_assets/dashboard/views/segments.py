"""How many customers are in which segment, and what they are worth."""

import pandas as pd

from engagement_assets.dashboard.pictures import Picture, bars, picture_of
from engagement_assets.dashboard.reading import Reader
from engagement_assets.decisions.customers.unified import CUSTOMERS

# smaller ones would say something of a person
LEAST_CUSTOMERS = 10


def pictures(reader: Reader) -> list[Picture]:
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
    ]
