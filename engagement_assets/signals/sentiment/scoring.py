"""Scoring the texts of customers who agreed to it, and what follows for customer and support.

Belongs here: which texts may be read, scoring them day by day, landing the tables. Does not belong
here: the model (`model.py`), the SQL itself (`sql/sentiment/`), when it runs (`assets.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

import pandas as pd
import pyarrow as pa

from engagement_assets.signals.tables import (
    CUSTOMER_SENTIMENT,
    SENTIMENT_ALERTS,
    SENTIMENT_SCORES,
)
from engagement_assets.source.consent import Consent
from resources.days import days_between
from resources.engine import Engine
from resources.lake import Lake, Written
from resources.sql import SqlFolder
from resources.tables import Table

PURPOSE = "sentiment"
ALERT_BELOW = -0.5
# Texts of so many days are read at once: one query a day over years would mostly open files.
DAYS_AT_ONCE = 50


class TextScorer(Protocol):
    """What scoring needs of a model."""

    @property
    def version(self) -> str:
        """Names its content."""
        ...

    def score_texts(self, texts: Sequence[str]) -> pd.DataFrame:
        """One row a text with the columns of `SENTIMENT_SCORES` from `score` on."""
        ...


# Texts and the model's version to scores, `alerted_at`, and whether they are those of now (`same`),
# in the index of the texts (`events.scored_before`).
ScoredBefore = Callable[[pd.DataFrame, str], pd.DataFrame]


@dataclass(frozen=True)
class DayScored:
    """Partitions landed for one day.

    Attributes:
        day: The partition.
        scores: Rows of `sentiment/scores`.
        alerts: Rows of `sentiment/alerts`.
        mean: Mean score, or None without one.
    """

    day: date
    scores: Written
    alerts: Written
    mean: float | None


def allowed_texts(
    engine: Engine, sql: SqlFolder, first: date, last: date, *, consent: Consent
) -> pa.Table:
    """The texts that may be scored.

    Args:
        engine: Runs the query.
        sql: The folder `sql/`.
        first: First day at which a text became known.
        last: Last such day.
        consent: Whose texts may be read.

    Returns:
        recorded_on, source_table, row_id, customer_id, occurred_at and text, ordered by the first
        three.
    """
    return engine.select(
        sql.query("sentiment/texts"),
        {
            "first_day": first,
            "last_day": last,
            "latest_day": consent.latest_day,
            "granted_by_source": consent.granted_by_source,
            "purpose": "sentiment",
        },
    )


def score_days(
    engine: Engine,
    sql: SqlFolder,
    days: Sequence[date],
    *,
    scorer: Callable[[], TextScorer],
    consent: Consent,
    alert_below: float = ALERT_BELOW,
    before: ScoredBefore | None = None,
) -> Iterator[DayScored]:
    """Score the texts of consecutive days and land scores and alerts, a partition a day.

    Args:
        engine: Runs the queries; declares the source tables.
        sql: The folder `sql/`.
        days: Consecutive days, in order.
        scorer: Gives the model; called only once there is a text, since loading takes seconds.
        consent: Whose texts may be read.
        alert_below: A score below it is a row for customer support.
        before: Gives what texts scored as they were written; nothing did by default.

    Yields:
        What was landed for each day, in order.
    """
    for start in range(0, len(days), DAYS_AT_ONCE):
        part = days[start : start + DAYS_AT_ONCE]
        texts = allowed_texts(engine, sql, part[0], part[-1], consent=consent)
        scores = _scores(texts, scorer, before) if texts.num_rows else None
        for day in part:
            yield _land_day(engine.lake, day, scores, alert_below)


def _scores(
    texts: pa.Table, scorer: Callable[[], TextScorer], before: ScoredBefore | None
) -> pd.DataFrame:
    model = scorer()
    frame: pd.DataFrame = texts.to_pandas()
    frame["text_id"] = frame["source_table"] + "/" + frame["row_id"].astype(str)
    frame["model_version"] = model.version
    earlier = before(frame, model.version) if before else pd.DataFrame()
    written = earlier.get("alerted_at", pd.Series(dtype=object)).reindex(frame.index)
    frame["alerted_at"] = pd.to_datetime(written)
    known = (
        earlier[earlier["same"]].drop(columns=["same", "alerted_at"]) if len(earlier) else earlier
    )
    fresh = frame.index.difference(known.index)
    parts = [known] if len(known) else []
    if len(fresh):
        parts.append(model.score_texts(frame.loc[fresh, "text"].tolist()).set_index(fresh))
    scores = pd.concat([part.astype({"score": "float64"}) for part in parts])
    return frame.drop(columns="text").join(scores)


def _land_day(lake: Lake, day: date, scores: pd.DataFrame | None, alert_below: float) -> DayScored:
    rows = None if scores is None else scores[scores["recorded_on"] == day]
    if rows is None or rows.empty:
        return DayScored(
            day,
            lake.write_empty(SENTIMENT_SCORES, day=day),
            lake.write_empty(SENTIMENT_ALERTS, day=day),
            None,
        )
    sad = rows[rows["score"] < alert_below]
    mean = rows["score"].mean()
    return DayScored(
        day,
        _write(lake, SENTIMENT_SCORES, rows, day),
        _write(lake, SENTIMENT_ALERTS, sad, day),
        None if pd.isna(mean) else float(mean),
    )


def _write(lake: Lake, table: Table, rows: pd.DataFrame, day: date) -> Written:
    named = rows[list(table.names)]
    columns = pa.Table.from_pandas(named, schema=table.arrow, preserve_index=False)
    return lake.write(table, columns, day=day)


def window_days(day: date, *, first_day: date, days: int) -> list[date]:
    """The days whose scores a customer's sentiment of a day is made of."""
    return days_between(max(first_day, day - timedelta(days=days - 1)), day)


def land_customer_sentiment(
    engine: Engine,
    sql: SqlFolder,
    day: date,
    *,
    first_day: date,
    days: int,
    consent: Consent,
) -> Written:
    """Land `sentiment/customer` of one day.

    Args:
        engine: Runs the query; declares the source and signal tables.
        sql: The folder `sql/`.
        day: The partition.
        first_day: First day of the data.
        days: Length of the window in days.
        consent: A customer who no longer agrees is left out.

    Raises:
        MissingPartitionError: A day of the window was not scored yet; the message names it.
    """
    window = window_days(day, first_day=first_day, days=days)
    engine.lake.require(SENTIMENT_SCORES.key, window)
    return engine.land(
        sql.query(CUSTOMER_SENTIMENT.key),
        {
            "first_day": window[0],
            "snapshot_date": day,
            "latest_day": consent.latest_day,
            "granted_by_source": consent.granted_by_source,
            "purpose": "sentiment",
        },
        into=CUSTOMER_SENTIMENT,
        day=day,
    )
