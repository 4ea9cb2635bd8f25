"""Who connects many, and into which communities customers fall."""

import pandas as pd

from engagement_assets.dashboard.pictures import Picture, bars, picture_of
from engagement_assets.dashboard.reading import Reader
from engagement_assets.dashboard.views.segments import LEAST_CUSTOMERS


def pictures(reader: Reader) -> list[Picture]:
    """Return the page."""
    return [communities(reader), influencers(reader), seeds(reader)]


def communities(reader: Reader) -> Picture:
    """Return the size of each community that is not too small to be shown."""
    reading = reader.newest("network/metrics", ["community", "degree"])
    grouped = reading.rows.groupby("community")["degree"]
    rows = grouped.agg(customers="size", mean_connections="mean").reset_index()
    rows = rows[rows["customers"] >= LEAST_CUSTOMERS].sort_values("customers", ascending=False)
    rows["community"] = rows["community"].astype("int64").astype(str)
    return picture_of(
        "How large each community is",
        pd.DataFrame(rows),
        reading,
        chart=bars(rows, of="community", value="customers", label="Customers"),
        note=f"Communities of fewer than {LEAST_CUSTOMERS} are left out.",
        empty="No connections, or no community of enough customers.",
    )


def influencers(reader: Reader) -> Picture:
    """Return influencers, the first first; by pseudonym for who may not see customers."""
    reading = reader.newest("network/influencers")
    return picture_of(
        "Who connects many",
        reading.rows.drop(columns="snapshot_date", errors="ignore").sort_values("rank"),
        reading,
        empty="Nobody stands out.",
    )


def seeds(reader: Reader) -> Picture:
    """Return whom to ask first to spread something, and how many more each would reach."""
    reading = reader.newest("network/seeds")
    return picture_of(
        "Whom to ask first",
        reading.rows.sort_values("rank"),
        reading,
        note="`expected_gain`: how many more the spread model reaches by asking this one too. "
        "It is a simulation on the graph, not a measured effect.",
        empty="Nobody is chosen yet.",
    )
