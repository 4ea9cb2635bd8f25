"""An experiment of the lake as a trial: features before the assignment, engagement after it.

Belongs here: reading and joining. Does not belong here: estimating (`adapter.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.features.catalogue import MODEL_INPUTS
from engagement_assets.learning.effects.trial import UnusableTrialError
from engagement_assets.lifecycle.adapter import Inputs
from engagement_assets.models.treatment_effects.spec import WINDOW_DAYS

CONTROL = "control"
# The product asks for effects by age, so they are learnt by it too.
FEATURES = (*MODEL_INPUTS, "age")


@dataclass(frozen=True, eq=False)
class ExperimentRows:
    """The customers of one experiment.

    Attributes:
        table: One row a customer: features, `customer_id`, `snapshot_date` of the features,
            `assigned_on`, `treated` (0 or 1), `engagement` after it.
        propensity: Chance of being treated of each, or None where it was not by chance.
        treatment: Name of the variant that is compared with the control.
        without_features: Customers who are left out, as no snapshot lies before their assignment.
        still_open: Customers who are left out, as their days after it are not over.
    """

    table: pd.DataFrame
    propensity: np.ndarray | None
    treatment: str
    without_features: int
    still_open: int

    def given(self) -> dict[str, Any]:
        """Return the arguments of an estimator's fit, with the times that it checks."""
        table = self.table
        return {
            "X": table[[name for name in FEATURES if name in table]],
            "treatment": table["treated"].to_numpy(),
            "outcome": table["engagement"].to_numpy(np.float64),
            "propensity": self.propensity,
            "units": table["customer_id"].to_numpy(object),
            "assigned_at": table["assigned_on"].to_numpy().astype("datetime64[D]"),
            "features_at": table["snapshot_date"].to_numpy().astype("datetime64[D]"),
        }


def assignments_of(inputs: Inputs, last_day: date) -> pd.DataFrame:
    """Return every assignment that is known by the end of a day."""
    query = inputs.sql.query("treatment_effects/assignments")
    rows: pd.DataFrame = inputs.engine.select(query, {"last_day": last_day}).to_pandas()
    return rows


def experiment_rows(
    inputs: Inputs,
    assignments: pd.DataFrame,
    experiment: str,
    *,
    snapshots: Sequence[date],
    last_day: date,
) -> ExperimentRows:
    """Return the customers of an experiment with what was known before and came after.

    Args:
        inputs: What is read from.
        assignments: As `assignments_of` gives them.
        experiment: Its name.
        snapshots: Days of which features are there.
        last_day: Last day whose data may be used.

    Raises:
        UnusableTrialError: It has another number of treatments than one, or customers who are in
            several variants.
    """
    rows = assignments[assignments["experiment"] == experiment]
    treatments = sorted(set(rows["variant"]) - {CONTROL})
    if len(treatments) != 1 or CONTROL not in set(rows["variant"]):
        raise UnusableTrialError(
            f"{experiment} has the variants {sorted(set(rows['variant']))}: one treatment and a "
            f"{CONTROL!r} are compared"
        )
    twice = int(rows.groupby("customer_id")["variant"].nunique().gt(1).sum())
    if twice:
        raise UnusableTrialError(
            f"{twice:,} customers of {experiment} are in both arms: the assignment changed midway"
        )
    rows = rows.drop_duplicates("customer_id")
    last_assigned = pd.Timestamp(rows["occurred_at"].max()).date()
    outcomes = inputs.engine.select(
        inputs.sql.query("treatment_effects/outcomes"),
        {
            "experiment": experiment,
            "window_days": WINDOW_DAYS,
            "first_day": pd.Timestamp(rows["occurred_at"].min()).date(),
            "last_day": min(last_day, last_assigned + timedelta(days=WINDOW_DAYS)),
            "known_by_day": last_day,
        },
    ).to_pandas()
    rows = rows.merge(outcomes, on="customer_id", validate="one_to_one")
    assigned = [pd.Timestamp(day).date() for day in rows["assigned_on"]]
    days = sorted(snapshots)
    # a snapshot of a day knows all of it, so it must lie before
    places = [bisect_left(days, day) - 1 for day in assigned]
    before = [days[place] if place >= 0 else None for place in places]
    rows = rows.assign(
        assigned_on=assigned,
        snapshot_date=pd.Series(before, index=rows.index, dtype=object),
        treated=(rows["variant"] == treatments[0]).astype(int),
    )
    known = rows[rows["snapshot_date"].notna()]
    features = _features(inputs, sorted(set(known["snapshot_date"])))
    table = known.merge(features, on=["customer_id", "snapshot_date"], validate="one_to_one")
    table = table.sort_values("customer_id", ignore_index=True)
    return ExperimentRows(
        table,
        _propensity(table, experiment),
        treatments[0],
        without_features=len(rows) - len(table),
        still_open=int(assignments["experiment"].eq(experiment).sum()) - len(rows),
    )


def _features(inputs: Inputs, days: Sequence[date]) -> pd.DataFrame:
    if not days:
        return pd.DataFrame({"customer_id": [], "snapshot_date": []}, dtype=object)
    tables: list[pd.DataFrame] = [inputs.features(day).assign(snapshot_date=day) for day in days]
    return pd.concat(tables, ignore_index=True)


def _propensity(table: pd.DataFrame, experiment: str) -> np.ndarray | None:
    """Return the chance of being treated; the table has that of the variant that was given."""
    given = table["propensity"].to_numpy(np.float64)
    known = np.isfinite(given)
    if not known.any():
        return None
    if not known.all():
        raise UnusableTrialError(
            f"{int((~known).sum()):,} of {len(given):,} assignments of {experiment} have no "
            "propensity: give that of every customer, or of none where it was not by chance"
        )
    chance: np.ndarray = np.where(table["treated"] == 1, given, 1.0 - given)
    return chance
