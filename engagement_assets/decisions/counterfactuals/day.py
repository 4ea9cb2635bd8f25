"""Advice of all customers at risk of a day.

Belongs here: who is at risk, how many are advised, the table. Does not belong here: one customer's
advice (`advice.py`) and Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from engagement_assets.decisions.counterfactuals.advice import (
    AT_RISK,
    SPECS,
    Advisors,
    active,
)
from engagement_assets.decisions.counterfactuals.tables import ADVICE
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.spec import ModelSpec

# Those with the worst scores of a day; of the others the API searches when it is asked.
MOST_ADVISED = 200


@dataclass(frozen=True)
class AdvisedDay:
    """Advice of a day.

    Attributes:
        table: Rows of the table.
        at_risk: Customers at risk.
        notes: What a person should know, a sentence each.
    """

    table: pd.DataFrame
    at_risk: int
    notes: tuple[str, ...]


def advise_days(
    inputs: Mapping[str, Inputs], days: Sequence[date], *, most: int = MOST_ADVISED
) -> dict[date, AdvisedDay]:
    """Advise the customers at risk of some days.

    Args:
        inputs: What each model of `SPECS` reads from, by name.
        days: Days with predictions.
        most: Most customers a day.
    """
    advisors = {name: Advisors(SPECS[name], own) for name, own in inputs.items()}
    return {day: _day(advisors, inputs, day, most) for day in days}


def _day(
    advisors: Mapping[str, Advisors], inputs: Mapping[str, Inputs], day: date, most: int
) -> AdvisedDay:
    scores = pd.concat([_risks(inputs[spec.name], spec, day) for spec in AT_RISK])
    at_risk = scores.sort_values("beyond", ascending=False)["customer_id"].drop_duplicates()
    notes = []
    if len(at_risk) > most:
        notes.append(
            f"{len(at_risk):,} customers are at risk, and the {most:,} with the worst scores are "
            "advised; of the others the API searches when it is asked"
        )
    chosen = at_risk.head(most)
    made = []
    if len(chosen):
        for name, own in advisors.items():
            rows = active(inputs[name].features(day))
            rows = rows[rows["customer_id"].isin(chosen)]
            try:
                advisor = own.of(day)
            except NotTrainableError as error:
                notes.append(f"nothing is advised by {name}: {error}")
                continue
            advised = zip(rows["customer_id"], advisor.advise_all(rows), strict=True)
            made += [advice.row(who, day) for who, advice in advised if advice is not None]
    table = pd.DataFrame(made, columns=list(ADVICE.names))
    return AdvisedDay(table, len(at_risk), tuple(notes))


def _risks(inputs: Inputs, spec: ModelSpec, day: date) -> pd.DataFrame:
    """Return who is beyond a model's goal on a day, and how far."""
    lake, goal = inputs.engine.lake, spec.goal
    if goal is None or goal.at is None or not lake.exists(spec.predictions, day):
        return pd.DataFrame({"customer_id": [], "beyond": []})
    read = lake.read(spec.predictions, days=[day], columns=["customer_id", spec.score]).to_pandas()
    rows = inputs.analysed(read)
    sign = 1.0 if goal.side == "below" else -1.0
    beyond = rows.assign(beyond=sign * (rows[spec.score] - goal.at))
    return beyond.loc[beyond["beyond"] > 0, ["customer_id", "beyond"]]
