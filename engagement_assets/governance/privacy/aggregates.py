"""Counts and means by segment that may be published: differential privacy, within a budget.

Two tables are neighbours when one has one customer more, who is in one segment. Segments and limits
of values come from the declarations alone, so that neither tells of the rows: every segment that
could be is in the result, also one that nobody is in. Noise is OpenDP's discrete Laplace, drawn
from the system's entropy, of whole numbers alone: counts, and sums on a grid (Mironov, CCS 2012,
is what noise on floating point gives away).

Belongs here: what is released, and what it spends. Does not belong here: where it is written.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from engagement_assets.governance.privacy.export import check_exportable
from resources.ledgers import Ledgers
from resources.quarter import Quarter
from resources.tables import Column, SchemaError, Table

LEDGER = "aggregates"
MOST_SEGMENTS = 1_000
CUSTOMERS, UNKNOWN = "customers", "unknown"
# Of the range of a column: halves of it in units of the grid.
HALF_RANGE = 2**19
COVERED = 0.95


@dataclass(frozen=True)
class Aggregates:
    """What may be published.

    Attributes:
        rows: One row a segment: its columns, `customers`, and `mean_<column>` with
            `mean_<column>_error`. Null is a mean of so few that noise outweighs them.
        epsilon: What it spent of each customer, as OpenDP counts it.
        count_error: Half-width of the 95 % interval of each count.
        left: What is left of the quarter's budget.
    """

    rows: pd.DataFrame
    epsilon: float
    count_error: float
    left: float


def aggregated(
    rows: pd.DataFrame,
    table: Table,
    segments: Sequence[str],
    measured: Sequence[str],
    *,
    day: date,
    epsilon: float,
    budget: float,
    ledgers: Ledgers,
) -> Aggregates:
    """Release counts by segment and means of some columns, once the ledger has them.

    Args:
        rows: Of one day, with the customer and all the columns; one row a customer.
        table: Their declaration.
        segments: Columns whose values make segments: closed lists, truth values, decades.
        measured: Columns of numbers.
        day: Of the rows: its quarter's budget is spent from.
        epsilon: What the release may spend of each customer.
        budget: What all releases of a quarter may spend.
        ledgers: Where that is written down, before noise is drawn.

    Raises:
        SchemaError: A column has no declared values or limits, or the budget has too little left.
    """
    check_exportable(rows, table, segments, measured)
    declared = {column.name: column for column in table.columns}
    values = [segment_values(declared[name]) for name in segments]
    if math.prod(map(len, values)) > MOST_SEGMENTS:
        raise SchemaError(f"over {MOST_SEGMENTS:,} segments: name fewer columns")
    bounds = {name: _bounds(declared[name]) for name in measured}
    # the total, and of each column its sum and, where it may be null, who has it
    parts = 1 + sum(1 + declared[name].nullable for name in measured)
    noise, share = _noise(epsilon / parts, sensitivity=1)
    sums, of_sum = _noise(epsilon / parts, sensitivity=HALF_RANGE)
    spent = share + sum(of_sum + share * declared[name].nullable for name in measured)
    about = {"table": table.key, "day": day.isoformat(), "columns": [*segments, *measured]}
    left = _charge(ledgers, str(Quarter.of(day)), about | {"epsilon": spent}, budget=budget)

    keys = pd.MultiIndex.from_tuples(product(*values), names=list(segments))
    where = keys.get_indexer(
        pd.MultiIndex.from_arrays([_segment_of(rows[name], declared[name]) for name in segments])
    )
    if (where < 0).any():
        raise SchemaError(f"{table.key} has values that are not declared: run its checks")
    width = math.log(1.0 / (1.0 - COVERED)) * parts / epsilon

    def noisy(weights: Any, draw: Any) -> np.ndarray:
        exact = np.bincount(where, weights=weights, minlength=len(keys))
        return np.array([draw(int(one)) for one in np.rint(exact)], dtype=np.float64)

    total = noisy(None, noise)
    columns: dict[str, np.ndarray] = {CUSTOMERS: np.maximum(total, 0.0).astype(np.int64)}
    for name, (low, high) in bounds.items():
        number = rows[name].astype("float64").to_numpy(np.float64, na_value=np.nan)
        known, half = ~np.isnan(number), (high - low) / 2.0
        middle = low + half
        scaled = (np.clip(number, low, high) - middle) / half * HALF_RANGE
        sum_of = noisy(np.where(known, np.rint(scaled), 0.0), sums) / HALF_RANGE * half
        who = noisy(known.astype(float), noise) if declared[name].nullable else total
        enough = who > 2.0 * width
        count = np.where(enough, who, np.nan)
        columns[f"mean_{name}"] = np.clip(middle + sum_of / count, low, high)
        columns[f"mean_{name}_error"] = 2.0 * half * width / count
    return Aggregates(pd.DataFrame(columns, index=keys).reset_index(), spent, width, left)


def segment_values(column: Column) -> list[str]:
    """Return every value that a column makes a segment of, by its declaration.

    Raises:
        SchemaError: It declares none.
    """
    if column.type == "bool":
        values = ["False", "True"]
    elif column.allowed:
        values = list(column.allowed)
    elif column.generalised == "decade" and column.bounds is not None:
        low, high = (int(bound) // 10 * 10 for bound in column.bounds)
        values = [str(decade) for decade in range(low, high + 10, 10)]
    else:
        raise SchemaError(
            f"{column.name} declares no list of values: which of them there are would tell of rows"
        )
    return [*values, UNKNOWN] if column.nullable else values


def _segment_of(values: pd.Series, column: Column) -> np.ndarray:
    if column.generalised == "decade":
        values = values // 10 * 10
    known = values.notna()
    named = np.full(len(values), UNKNOWN, dtype=object)
    plain = values[known].astype("int64") if column.generalised == "decade" else values[known]
    named[known.to_numpy()] = plain.astype(str).to_numpy()
    return named


def _bounds(column: Column) -> tuple[float, float]:
    if column.bounds is None or column.type == "string" or column.bounds[0] >= column.bounds[1]:
        raise SchemaError(
            f"{column.name} declares no limits (`minimum` and `maximum`, or `clip`): without them "
            "one customer could move a mean by anything"
        )
    return column.bounds


def _noise(epsilon: float, *, sensitivity: int) -> tuple[Any, float]:
    """Return what adds noise to a whole number, and the epsilon that OpenDP counts for it."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    draw: Any = dp.m.make_laplace(
        dp.atom_domain(T="i64"), dp.absolute_distance(T="i64"), scale=sensitivity / epsilon
    )
    return draw, float(draw.map(sensitivity))


def _charge(ledgers: Ledgers, period: str, release: dict[str, Any], *, budget: float) -> float:
    """Write a release down and return what is left; refuse one that does not fit."""
    left = budget

    def changed(before: dict[str, Any] | None) -> dict[str, Any]:
        nonlocal left
        releases = [] if before is None else before["releases"]
        spent = sum(one["epsilon"] for one in releases)
        # sums of fractions of a budget may exceed it in the last digit
        if spent + release["epsilon"] > budget * (1 + 1e-9):
            raise SchemaError(
                f"epsilon {spent:.3f} of {budget:g} is spent in {period} by {len(releases)} "
                f"releases: {release['epsilon']:.3f} more does not fit"
            )
        left = max(0.0, budget - spent - release["epsilon"])
        return {"releases": [*releases, release]}

    ledgers.change(LEDGER, period, changed)
    return left
