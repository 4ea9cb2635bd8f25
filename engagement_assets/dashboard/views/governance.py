"""What the fairness of models rests on, what fails, and who waits for a review."""

from engagement_assets.dashboard.pictures import Picture, bars, picture_of
from engagement_assets.dashboard.reading import Reader
from engagement_assets.governance.tables import FAIRNESS_MEASURES, REVIEW_QUEUE


def pictures(reader: Reader) -> list[Picture]:
    """Return the page."""
    return [verdicts(reader), failures(reader), waiting(reader), queue(reader)]


def verdicts(reader: Reader) -> Picture:
    """Return the verdict on each model's fairness, and of how many tests."""
    reading = reader.newest(FAIRNESS_MEASURES)
    by = reading.rows.groupby(["model", "verdict"])
    rows = by.agg(
        measures=("measure", "size"), judged=("judged", "sum"), fails=("fails", "sum")
    ).reset_index()
    return picture_of(
        "Is each model fair",
        rows,
        reading,
        note="`not judged`: the groups are too small to tell, which is not the same as fair.",
        empty="No fairness report yet.",
    )


def failures(reader: Reader) -> Picture:
    """Return what counts against a model, with its interval."""
    reading = reader.newest(FAIRNESS_MEASURES)
    names = ["model", "attribute", "group_name", "measure", "value", "low", "high", "people"]
    rows = reading.rows[reading.rows["fails"].astype(bool)]
    return picture_of(
        "What counts against a model",
        rows[[*names, "reason"]],
        reading,
        empty="Nothing that was judged counts against a model.",
    )


def waiting(reader: Reader) -> Picture:
    """Return how many customers wait for a review, by kind."""
    reading = reader.newest(REVIEW_QUEUE, ["kind"])
    rows = reading.rows["kind"].value_counts().rename_axis("kind").reset_index(name="customers")
    return picture_of(
        "Waiting for a review",
        rows,
        reading,
        chart=bars(rows, of="kind", value="customers", label="Customers"),
        empty="Nobody waits for a review.",
    )


def queue(reader: Reader) -> Picture:
    """Return the review queue; without ids for who may not see customers."""
    reading = reader.newest(REVIEW_QUEUE)
    names = ["customer_id", "anomaly_score", "kind", "flagged_since", "last_reviewed_on"]
    rows = reading.rows[[name for name in names if name in reading.rows]]
    return picture_of("The review queue", rows, reading, empty="Nobody waits for a review.")
