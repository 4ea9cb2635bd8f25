"""One customer: scores with reasons and history, what is recommended, due and held back."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

import altair as alt
import pandas as pd

from engagement_assets.dashboard.pictures import BLUE, ORANGE, Picture, picture_of
from engagement_assets.dashboard.reading import (
    HIDDEN,
    OF_GROUPS_ONLY,
    Reader,
    Reading,
)
from engagement_assets.decisions.contact.tables import OUTBOX
from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.decisions.customers.unified import CHANGES, CUSTOMERS
from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.governance.tables import CONSENT_LEDGER, REVIEW_QUEUE
from engagement_assets.lifecycle.spec import REASONS
from engagement_assets.source.contract import TABLES

# what each model says of a customer, and its unit
SCORES = {
    "churn_probability": "Chance to churn (0-1)",
    "engagement_score": "Engagement (0-1)",
    "future_revenue_usd": "Future revenue (USD)",
    "lifetime_value_usd": "Lifetime value (USD)",
    "anomaly_score": "Anomaly (0-1)",
    "customer_health": "Health (0-100)",
}
EXPLAINED = {
    "churn/predictions": "Why this chance to churn",
    "engagement/predictions": "Why this engagement",
    "lifetime_value/predictions": "Why this value",
    "anomaly/predictions": "Why this is unusual",
    "ensemble/predictions": "Why this health",
}
HISTORY_DAYS = 30
REVIEWS = TABLES["reviews"].key
# raw tables of what a customer does or is sent; the others say what they are or agreed to
EVENTS = tuple(
    table.key
    for noun, table in TABLES.items()
    if {"customer_id", "occurred_at"} <= set(table.names)
    and noun not in ("consents", "erasure_requests", "reviews", "withdrawals")
)
EVENT_DAYS = 14
MOST_EVENTS = 200
MOST_ITEMS = 10


def pictures(reader: Reader, customer: str) -> list[Picture]:
    """Return the page of a customer; none where there is no such customer.

    Raises:
        NotAllowedError: The person may not see customers.
    """
    features = reader.of_customer(CUSTOMER_FEATURES, customer)
    unified = reader.of_customer(CUSTOMERS, customer)
    if features.rows.empty and unified.rows.empty:
        return []
    return [
        scores(unified),
        *(
            waterfall(reader.of_customer(table, customer), title)
            for table, title in EXPLAINED.items()
        ),
        counterfactuals(reader.of_customer(ADVICE.key, customer)),
        history(reader, customer),
        timeline(reader, customer),
        actions(reader.of_customer(OUTBOX.key, customer)),
        recommended(reader.of_customer("recommendation/predictions", customer)),
        as_rows(reader.of_customer(CHANGES, customer), "What changed since the day before"),
        consents(reader.of_customer(CONSENT_LEDGER, customer)),
        as_rows(reader.of_customer(REVIEW_QUEUE, customer), "In the review queue"),
        verdicts(reader, customer),
        as_rows(features, "What is known (features)"),
    ]


def scores(reading: Reading) -> Picture:
    """Return every score of a customer, with the interval where the model gives one."""
    made = []
    for row in reading.rows.to_dict("records"):
        for name, label in SCORES.items():
            given = row.get(name)
            money = name == "future_revenue_usd"
            made.append(
                {
                    "score": label,
                    "value": given,
                    "low": row["future_revenue_usd_p10"] if money else None,
                    "high": row["future_revenue_usd_p90"] if money else None,
                }
            )
    return picture_of(
        "Scores",
        pd.DataFrame(made),
        reading,
        note="`low` to `high` holds 8 of 10 customers like this one. Churn's chances are "
        "calibrated: the page Models shows how well. An empty value: not scored.",
        empty="This customer is not scored, for example because they withheld analytics.",
    )


def waterfall(reading: Reading, title: str) -> Picture:
    """Return what moved a score most, and how far, against typical values."""
    made = [reason for row in reading.rows.to_dict("records") for reason in _reasons(row)]
    rows = pd.DataFrame(made, columns=["reason", "value", "typical", "contribution"])
    chart = (
        alt.Chart(rows, description=title)
        .mark_bar()
        .encode(
            x=alt.X(field="contribution", type="quantitative", title="Lowers ← → raises the score"),
            y=alt.Y(
                field="reason", type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=300)
            ),
            color=alt.condition("datum.contribution > 0", alt.value(ORANGE), alt.value(BLUE)),
            tooltip=[alt.Tooltip(field=name) for name in rows.columns],
        )
    )
    return picture_of(
        title,
        rows,
        reading,
        chart=chart,
        note="The three features that moved the model's score most, in the unit in which the model "
        "adds them up. They say what the model used, not what would help.",
        empty="Not scored by this model, or it gives no reasons.",
    )


def counterfactuals(reading: Reading) -> Picture:
    """Return what a customer at risk could do differently, a row a model."""
    rows = reading.rows[["model", "words", "measured"]].rename(
        columns={"words": "what the model would predict", "measured": "what experiments measured"}
    )
    return picture_of(
        "What would change the prediction",
        rows,
        reading,
        note="What the model would predict of somebody alike who did so; no promise that it helps. "
        "Only an experiment shows an effect.",
        empty="Made daily for those at most risk of leaving; this customer is not among them. The "
        "API searches for anybody: `/v1/customers/{id}/counterfactuals/churn`.",
    )


def history(reader: Reader, customer: str) -> Picture:
    """Return the scores of a customer over the last days that were predicted.

    Raises:
        NotAllowedError: The person may not see customers.
    """
    columns = ["snapshot_date", "churn_probability", "engagement_score"]
    days = reader.lake.days(CUSTOMERS)[-HISTORY_DAYS:]
    reading = reader.days_of_customer(CUSTOMERS, customer, days, columns)
    rows = reading.rows
    if rows["snapshot_date"].nunique() < 2:
        return picture_of(
            "Scores over time",
            pd.DataFrame(),
            reading,
            empty="Scored on one day only so far.",
        )
    long = rows.melt("snapshot_date", var_name="score", value_name="value").dropna()
    long["snapshot_date"] = pd.to_datetime(long["snapshot_date"])
    chart = (
        alt.Chart(long, description="Scores over time")
        .mark_line(point=True)
        .encode(
            x=alt.X("snapshot_date:T", title=None),
            y=alt.Y("value:Q", title="Score (0-1)", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("score:N", scale=alt.Scale(range=[BLUE, ORANGE])),
            strokeDash="score:N",
        )
    )
    return picture_of("Scores over time", long, reading, chart=chart)


def timeline(reader: Reader, customer: str) -> Picture:
    """Return what a customer did and was sent in the last days, the latest first.

    Raises:
        NotAllowedError: The person may not see customers.
    """
    last = max((day for day in map(reader.last_day, EVENTS) if day), default=None)
    made = []
    since = (last or date.max) - timedelta(days=EVENT_DAYS)
    for table in EVENTS:
        days = [day for day in reader.lake.filled_days(table) if day > since]
        for row in reader.days_of_customer(table, customer, days).rows.to_dict("records"):
            details = {
                str(name): given
                for name, given in row.items()
                if not str(name).endswith(("_id", "_at")) and pd.notna(given)
            }
            made.append(
                {
                    "at": row["occurred_at"],
                    "what": table.removeprefix("source/").replace("_", " "),
                    "details": ", ".join(f"{k} {_short(v)}" for k, v in details.items()),
                }
            )
    rows = pd.DataFrame(made, columns=["at", "what", "details"])
    rows = rows.sort_values("at", ascending=False, kind="stable").head(MOST_EVENTS)
    chart = (
        alt.Chart(rows, description="What happened when")
        .mark_point(filled=True, color=BLUE, size=60)
        .encode(
            x=alt.X("at:T", title=None),
            y=alt.Y("what:N", title=None),
            tooltip=[alt.Tooltip("at:T", format="%Y-%m-%d %H:%M"), "what:N", "details:N"],
        )
    )
    return picture_of(
        "What happened",
        rows,
        Reading(rows, EVENTS[0], last),
        chart=chart,
        note=f"The last {EVENT_DAYS} days, of every raw table that names the customer; "
        f"{MOST_EVENTS} events at most. Texts are not shown.",
        empty=f"Nothing in the last {EVENT_DAYS} days.",
    )


def consents(reading: Reading) -> Picture:
    """Return what the customer could be used for on the newest day of the ledger."""
    return picture_of(
        "Consent",
        reading.rows[["purpose", "usable", "since"]],
        reading,
        note="`since`: the day of the latest statement; empty where nothing was stated.",
        empty="The ledger has no line of this customer.",
    )


def verdicts(reader: Reader, customer: str) -> Picture:
    """Return the verdicts of human reviews of a customer, the latest first.

    Raises:
        NotAllowedError: The person may not see customers.
    """
    reading = reader.days_of_customer(REVIEWS, customer, reader.lake.filled_days(REVIEWS))
    rows = reading.rows[["occurred_at", "confirmed_fraud"]]
    return picture_of(
        "Verdicts of reviews",
        rows.sort_values("occurred_at", ascending=False),
        reading,
        empty="No person has judged this customer.",
    )


def actions(reading: Reading) -> Picture:
    """Return what is due and what is held back, with the reason."""
    names = ["decision", "action", "channel", "status", "suppressed_by", "not_before", "reason"]
    return picture_of(
        "Actions due and held back",
        reading.rows[names],
        reading,
        empty="No decision wants to contact this customer now.",
    )


def recommended(reading: Reading) -> Picture:
    """Return the items that are recommended, best first."""
    made = [
        {"rank": rank, "item": item, "why": row["source"]}
        for row in reading.rows.to_dict("records")
        for rank, item in enumerate(json.loads(row["items"])[:MOST_ITEMS], start=1)
    ]
    return picture_of("Recommended items", pd.DataFrame(made), reading)


def as_rows(reading: Reading, title: str) -> Picture:
    """Return a customer's row as one line a column, without those that are empty."""
    one = reading.rows.drop(columns=["customer_id", "snapshot_date"], errors="ignore")
    rows = one.head(1).T.reset_index()
    rows.columns = ["what", "value"][: rows.shape[1]]
    if "value" in rows:
        rows = rows.dropna().assign(value=lambda table: table["value"].astype(str))
        for feature in OF_GROUPS_ONLY:
            # a feature that is hidden is hidden too where it stands among reasons
            rows["value"] = rows["value"].str.replace(
                rf"\b{feature} [^;]*", f"{feature} ({HIDDEN})", regex=True
            )
    else:
        rows = pd.DataFrame()
    return picture_of(title, rows, reading)


def _reasons(row: dict) -> Iterator[dict]:
    for n in range(1, REASONS + 1):
        feature = row.get(f"reason_{n}_feature")
        if not feature:
            continue
        secret = feature in OF_GROUPS_ONLY
        value = HIDDEN if secret else _short(row[f"reason_{n}_value"])
        typical = HIDDEN if secret else _short(row[f"reason_{n}_typical"])
        name = feature.replace("_", " ")
        yield {
            "reason": name if secret else f"{name}: {value} (typical {typical})",
            "value": value,
            "typical": typical,
            "contribution": row[f"reason_{n}_contribution"],
        }


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
