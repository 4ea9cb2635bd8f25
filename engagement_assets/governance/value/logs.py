"""What a part of the programme brought, from its log of decisions and their chances.

Belongs here: a log against having done nothing. Does not belong here: the estimators
(`engagement_assets.learning.off_policy`).
"""

import pandas as pd

from engagement_assets.governance.value.measures import (
    BY_LOG,
    Measured,
    not_measured,
    verdict_of,
)
from engagement_assets.governance.value.plan import REVENUE, SESSIONS

# Context of a decision, where the log has it, and what came of it.
CONTEXT = ("time_of_day", "last_action", "device", "sessions_before", "revenue_before_usd")
OUTCOMES = {REVENUE: "revenue_usd", SESSIONS: "sessions"}
# Decisions beyond these tell little more and cost time: whole customers are drawn.
MOST_DECISIONS = 200_000


def measure_log(
    decisions: pd.DataFrame, *, capability: str, source: str, baseline: str, random_state: int
) -> list[Measured]:
    """Estimate what the decisions of a log added to having done nothing.

    Args:
        decisions: Rows of customer_id, occurred_at, action, propensity, context and outcomes.
        capability: The part of the programme.
        source: The log.
        baseline: The action that stands for doing nothing.
        random_state: Seed of the reward model.

    Returns:
        A row an outcome, a decision at a time, doubly robust; the intervals hold where the policy
        learnt from the log.
    """
    from engagement_assets.learning.errors import TooLittleDataError  # noqa: PLC0415 - beside it
    from engagement_assets.learning.off_policy.estimates import (  # noqa: PLC0415 - loads scipy
        DR,
        evaluate_policy,
    )
    from engagement_assets.learning.off_policy.log import (  # noqa: PLC0415 - loads scipy
        LogError,
        decision_log,
    )

    rows = []
    for metric, column in OUTCOMES.items():
        # what came of the latest decisions is not known yet
        whole = decisions[decisions[column].notna()]
        known = _sampled(whole, random_state)
        actions = sorted({*known["action"], baseline})
        try:
            log = decision_log(
                known,
                context=[name for name in CONTEXT if name in known and known[name].notna().any()],
                actions=actions,
                reward=column,
                group="customer_id",
                acted_at="occurred_at",
            )
            doing_nothing = [float(action == baseline) for action in actions]
            evaluated = evaluate_policy(
                log, None, baseline=doing_nothing, adaptive=True, random_state=random_state
            )
        except (LogError, TooLittleDataError) as error:
            rows.append(not_measured(capability, BY_LOG, source, metric, str(error)))
            continue
        estimate, n = evaluated.estimates[DR], len(whole)
        sample = f" from {len(known):,} decisions drawn" if len(known) < n else ""
        covered = evaluated.baseline_overlap
        size = covered.effective_sample_size if covered else 0.0
        rows.append(
            Measured(
                capability=capability,
                method=BY_LOG,
                source=source,
                metric=metric,
                verdict=verdict_of(estimate.low, estimate.high),
                reason=f"a decision at a time{sample}, {evaluated.units:,} customers; effective "
                f"sample size of doing nothing {size:,.0f}",
                units_with=n,
                difference=estimate.value,
                low=estimate.low,
                high=estimate.high,
                total=estimate.value * n,
                total_low=estimate.low * n,
                total_high=estimate.high * n,
            )
        )
    return rows


def _sampled(decisions: pd.DataFrame, random_state: int) -> pd.DataFrame:
    """All decisions, or those of so many customers that there are not too many."""
    share = MOST_DECISIONS / max(len(decisions), 1)
    if share >= 1.0:
        return decisions
    customers = pd.Series(decisions["customer_id"].unique())
    drawn = customers.sample(frac=share, random_state=random_state)
    return decisions[decisions["customer_id"].isin(drawn)]
