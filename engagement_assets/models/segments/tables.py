"""The table that is made of a day's segments, besides the segments themselves.

Belongs here: names and columns. Does not belong here: what makes it (`assets.py`).
"""

from resources.tables import Column, Table

GROUP, OWNER = "segments", "team:data-science"
# Stands for the segment of who has none on a day: not yet a customer, gone, or refusing analytics.
NONE = "none"

TRANSITIONS = Table(
    f"{GROUP}/transitions",
    (
        Column("snapshot_date", "date", "Day of the segments moved to", nullable=False),
        Column("before", "date", "Latest earlier day with segments", nullable=False),
        Column("from_segment_id", "string", f"Segment then; {NONE} without one", nullable=False),
        Column("from_segment", "string", "What it was called then", nullable=False),
        Column("to_segment_id", "string", f"Segment now; {NONE} without one", nullable=False),
        Column("to_segment", "string", "What it is called now", nullable=False),
        Column("customers", "int64", "Customers who went so", "customers", nullable=False),
        Column(
            "share_of_segment",
            "float64",
            "Share of those who were in the segment then",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
        Column(
            "share",
            "float64",
            "Share of the customers with a segment on either day",
            nullable=False,
            minimum=0,
            maximum=1,
        ),
    ),
    description="Who moved from which segment to which since the latest earlier day with segments, "
    "those who stayed included.",
    unique=("from_segment_id", "to_segment_id"),
    owner=OWNER,
    without_customer="a row is about all customers who went from one segment to another",
)
TABLES = (TRANSITIONS,)
