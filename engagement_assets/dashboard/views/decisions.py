"""What each decision chooses, what is sent, and what is held back and why."""

from engagement_assets.dashboard.pictures import (
    ORANGE,
    Document,
    Picture,
    bars,
    document_of,
    picture_of,
)
from engagement_assets.dashboard.reading import Reader
from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.decisions.specs import DECISIONS, LEARNT


def pictures(reader: Reader) -> list[Picture | Document]:
    """Return the page."""
    return [
        sent(reader),
        held_back(reader),
        *(choices(reader, spec.output, spec.name) for spec in DECISIONS),
        *(
            document_of(
                reader,
                f"{spec.name}/evaluation",
                f"Off-policy evaluation of {spec.name.replace('_', ' ')}",
            )
            for spec in LEARNT
        ),
    ]


def sent(reader: Reader) -> Picture:
    """Return how many messages each decision may send."""
    reading = reader.newest(OUTBOX.key, ["decision", "channel", "status"])
    rows = reading.rows.groupby(["decision", "channel", "status"], dropna=False).size()
    table = rows.rename("messages").reset_index()
    due = table.groupby(["decision", "status"])["messages"].sum().reset_index()
    due["what"] = due["decision"].str.replace("_", " ") + ": " + due["status"]
    return picture_of(
        "What is sent and held back",
        due[["what", "messages"]],
        reading,
        chart=bars(due[["what", "messages"]], of="what", value="messages", label="Messages"),
        empty="No decision wants to contact anybody.",
    )


def held_back(reader: Reader) -> Picture:
    """Return why messages are held back, the most frequent reason first."""
    reading = reader.newest(OUTBOX.key, ["suppressed_by"])
    counts = reading.rows["suppressed_by"].dropna().value_counts()
    rows = counts.rename_axis("reason").reset_index(name="messages")
    return picture_of(
        "Why messages are held back",
        rows,
        reading,
        chart=bars(rows, of="reason", value="messages", label="Messages", colour=ORANGE),
        empty="Nothing is held back.",
    )


def choices(reader: Reader, table: str, name: str) -> Picture:
    """Return how often a decision chooses each action, and by which policy."""
    reading = reader.newest(table, ["action", "propensity", "policy_version"])
    by = reading.rows.groupby(["action", "policy_version"])["propensity"]
    rows = by.agg(customers="size", mean_propensity="mean").reset_index()
    rows = rows.sort_values("customers", ascending=False)
    return picture_of(
        f"Choices of {name.replace('_', ' ')}",
        rows,
        reading,
        chart=bars(rows, of="action", value="customers", label="Customers"),
        note="A mean propensity of 1: the policy is a rule and leaves nothing to chance.",
    )
