"""A log of decisions, checked: what was chosen, with which chance, and what it brought.

Belongs here: reading such a log from any table, and refusing one that says nothing. Does not belong
here: estimates from it (`estimates`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engagement_assets.learning.errors import TooLittleDataError

Floats = NDArray[np.float64]
_SUM_TOLERANCE = 1e-6


class LogError(ValueError):
    """A log, or a policy for it, cannot be evaluated; the message says why."""


@dataclass(frozen=True)
class DecisionLog:
    """Decisions of a logging policy, in the order in which they were taken.

    Attributes:
        context: n rows of what was known before each decision; numbers, text or booleans.
        actions: The k actions that were possible.
        chosen: n positions in `actions`.
        propensity: n chances with which the logging policy chose what it chose.
        reward: n rewards.
        probabilities: n x k chances of every action at each decision, or None where only that of
            the chosen one was logged.
        groups: n names of what is independent of each other, such as people, or None where each
            row is.
    """

    context: pd.DataFrame
    actions: tuple[Hashable, ...]
    chosen: NDArray[np.int64]
    propensity: Floats
    reward: Floats
    probabilities: Floats | None = None
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def of_chosen(self, table: Floats) -> Floats:
        """Return the value of each row's chosen action from an n x k table."""
        values: Floats = table[np.arange(len(self)), self.chosen]
        return values


def decision_log(  # noqa: PLR0913 - each column of the table has a name of its own
    table: pd.DataFrame,
    *,
    context: Sequence[str],
    actions: Sequence[Hashable],
    action: str = "action",
    propensity: str = "propensity",
    reward: str = "reward",
    group: str | None = None,
    acted_at: str | None = None,
    rewarded_at: str | None = None,
    probabilities: ArrayLike | None = None,
) -> DecisionLog:
    """Read a log from a table and check it.

    Args:
        table: n decisions.
        context: Columns of what was known before the decision.
        actions: The k actions that were possible.
        action: Column of the chosen action.
        propensity: Column of the chance with which it was chosen, above 0 and up to 1.
        reward: Column of the reward.
        group: Column whose equal values belong together, such as a person's id.
        acted_at: Column of the decision's time; the rows are put in its order. Without it they are
            taken as ordered.
        rewarded_at: Column of the reward's time, null where there was none; checked beside
            `acted_at`.
        probabilities: n x k chances of every action, where they were logged.

    Raises:
        TooLittleDataError: There are no rows.
        LogError: A column is missing, a propensity or reward is null, a propensity is 0 or above 1,
            an action is not among `actions`, a reward came before its action, or `probabilities`
            do not agree with the propensities.
    """
    asked = [*context, action, propensity, reward, group, acted_at, rewarded_at]
    missing = [name for name in asked if name is not None and name not in table.columns]
    if missing:
        hint = (
            " (a log without the chance of each choice cannot be evaluated: log it at the decision)"
            if propensity in missing
            else ""
        )
        raise LogError(f"the log has no column {', '.join(missing)}{hint}")
    if table.empty:
        raise TooLittleDataError("the log has no decisions: give at least one row")
    order = _in_time(table, acted_at, rewarded_at)
    rows = table.iloc[order].reset_index(drop=True)
    chance = _numbers(rows[propensity], "propensity")
    illegal = chance[(chance <= 0.0) | (chance > 1.0)]
    if illegal.size:
        raise LogError(
            f"{illegal.size} propensities are not above 0 and up to 1 (the first is "
            f"{illegal[0]:g}): log the chance with which the action was really drawn"
        )
    chosen = pd.Index(list(actions)).get_indexer(pd.Index(rows[action]))
    if (chosen < 0).any():
        unknown = sorted({str(value) for value in rows[action][chosen < 0]})
        raise LogError(
            f"the log has {', '.join(unknown)}, which is none of the actions "
            f"{', '.join(map(str, actions))}"
        )
    log = DecisionLog(
        context=rows[list(context)],
        actions=tuple(actions),
        chosen=chosen.astype(np.int64),
        propensity=chance,
        reward=_numbers(rows[reward], "reward"),
        groups=None if group is None else pd.factorize(rows[group])[0].astype(np.int64),
    )
    if probabilities is None:
        return log
    every = policy_table(log, np.asarray(probabilities, dtype=np.float64)[order])
    gap = float(np.abs(log.of_chosen(every) - chance).max())
    if gap > _SUM_TOLERANCE:
        raise LogError(
            f"the probabilities of the chosen actions differ from the propensities by up to "
            f"{gap:g}: give those of the same draw"
        )
    return DecisionLog(**{**vars(log), "probabilities": every})


def policy_table(log: DecisionLog, policy: ArrayLike) -> Floats:
    """Return a policy's chance of each action in each row of a log, checked.

    Args:
        log: n decisions with k actions.
        policy: n x k chances in the order of the log's rows, or k that hold in every row.

    Raises:
        LogError: The shape is another, a chance is negative or no number, or a row's sum is not 1.
    """
    table = np.asarray(policy, dtype=np.float64)
    shape = (len(log), len(log.actions))
    if table.shape not in (shape, shape[1:]):
        raise LogError(f"a policy for this log has shape {shape} or {shape[1:]}, not {table.shape}")
    table = np.broadcast_to(table, shape)
    if not np.isfinite(table).all() or (table < 0.0).any():
        raise LogError("a policy's chances must be numbers of at least 0")
    sums = table.sum(axis=1)
    if np.abs(sums - 1.0).max() > _SUM_TOLERANCE:
        worst = float(sums[np.abs(sums - 1.0).argmax()])
        raise LogError(f"a policy's chances must sum to 1 in every row; one sums to {worst:g}")
    return table


def _in_time(
    table: pd.DataFrame, acted_at: str | None, rewarded_at: str | None
) -> NDArray[np.int64]:
    """Return the order of the rows by the time of their decisions, checked."""
    if acted_at is None:
        return np.arange(len(table))
    times = table[acted_at]
    if times.isna().any():
        raise LogError(f"{int(times.isna().sum())} decisions have no time {acted_at}")
    early = 0 if rewarded_at is None else int((table[rewarded_at] < times).sum())
    if early:
        raise LogError(
            f"{early} rewards have a time ({rewarded_at}) before their action ({acted_at}): "
            "give a reward that the action can have caused"
        )
    return np.argsort(times.to_numpy(), kind="stable")


def _numbers(values: pd.Series, what: str) -> Floats:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    unusable = int((~np.isfinite(numbers)).sum())
    if unusable:
        raise LogError(
            f"{unusable} of {len(numbers)} decisions have no {what} that is a number: leave out "
            f"decisions whose {what} is not known, or log it"
        )
    return numbers
