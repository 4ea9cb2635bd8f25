"""A learnt decision: from a log of choices with their chances to a policy that serves.

Belongs here: who is learnt from and who is judged on, the off-policy evaluation against the rule,
who is offered what, and the draw of each customer's choice. Does not belong here: any one policy
(the decision's folder), the estimators (`engagement_assets.learning.off_policy`) and Dagster.

Test customers are never learnt from, so no policy that was learnt here depends on their rewards.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engagement_assets.learning.evaluation.bootstrap import Interval
from engagement_assets.learning.evaluation.splits import hash_positions, hash_split
from engagement_assets.learning.fairness.judging import Measure, Side, fairness_report
from engagement_assets.learning.fairness.measures import CUSTOMERS, SELECTED
from engagement_assets.learning.fairness.report import FairnessReport
from engagement_assets.learning.off_policy.estimates import DR, Evaluation, evaluate_policy
from engagement_assets.learning.off_policy.log import DecisionLog, LogError, decision_log
from engagement_assets.learning.off_policy.reward_model import predicted_rewards
from engagement_assets.lifecycle.adapter import Inputs, Trained
from engagement_assets.lifecycle.dates import Snapshots
from engagement_assets.lifecycle.decision import (
    ContextPolicy,
    ContextRule,
    Floats,
    Policy,
    drawn,
    rule_version,
)
from engagement_assets.lifecycle.errors import NotTrainableError
from engagement_assets.lifecycle.fairness import Assessment
from engagement_assets.lifecycle.gates import GAIN, LEAST_CHANCE, UNCOVERED
from engagement_assets.lifecycle.predictor import Context, Predictions
from engagement_assets.lifecycle.reports import metrics_markdown
from engagement_assets.lifecycle.spec import NO_ACTION, DecisionSpec
from engagement_assets.lifecycle.training import SENSITIVE, sensitive_columns
from resources.registry import ModelRegistry, RegisteredModel, registered

# Columns of every log beside its context: whose, when, what, its chance, and what it brought.
CUSTOMER, ACTED_AT, ACTION, PROPENSITY, REWARD = (
    "customer_id", "acted_at", "action", "propensity", "reward",
)  # fmt: skip


class LearntDecision(ABC):
    """The adapter of a learnt decision; see `ModelAdapter` for what the assets call.

    Attributes:
        spec: The decision.
        context: Columns of the log that policies look at.
        features: Features that contexts are made from; all where none is named.
        outcomes: Further columns of the log whose difference to the rule is reported, and may be
            gated as `added_<column>`.
        adaptive: Whether the logs may come from a policy that learnt from the rewards of the very
            customers who are judged on; false only where it is known not to.
    """

    spec: ClassVar[DecisionSpec]
    context: ClassVar[tuple[str, ...]]
    features: ClassVar[tuple[str, ...]] = ()
    outcomes: ClassVar[tuple[str, ...]] = ()
    adaptive: ClassVar[bool] = True

    @abstractmethod
    def log(self, inputs: Inputs, last_day: date) -> pd.DataFrame:
        """Return every decision whose reward is known by the end of a day.

        Returns:
            `customer_id`, `acted_at`, the context, `action` (as the spec names it), `propensity`,
            `reward` and the `outcomes`.
        """

    @abstractmethod
    def fit(self, log: pd.DataFrame, inputs: Inputs) -> Any:
        """Return a `ContextPolicy` learnt from a log, which can write itself: `save(folder)`."""

    @abstractmethod
    def open(self, model: RegisteredModel, *, parameters: Mapping[str, Any]) -> ContextPolicy:
        """Load what `fit` learnt."""

    @abstractmethod
    def contexts(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return `customer_id`, `snapshot_date` and the context of customers by their features."""

    def day_contexts(self, inputs: Inputs, day: date) -> pd.DataFrame:
        """Return the contexts in which a day's choices are made.

        Raises:
            MissingPartitionError: What they are made from is not there.
        """
        return self.contexts(inputs.features(day))

    def allowed(self, contexts: pd.DataFrame) -> np.ndarray:
        """Return which of k actions may be taken in each of n contexts: all, unless limited."""
        return np.ones((len(contexts), len(self.spec.actions)), dtype=bool)

    def as_offered(self, log: pd.DataFrame) -> pd.DataFrame:
        """Return a log's contexts as a day's choices are made in, where those of the log differ."""
        return log

    def further(self, policy: Any, learn: pd.DataFrame, score: pd.DataFrame) -> dict[str, Any]:  # noqa: ARG002 - for those that measure more
        """Return further parts of the card; `metrics` among them are added to the others."""
        return {}

    def rule(self, parameters: Mapping[str, Any]) -> ContextRule:
        """Return the rule that decides until a policy serves."""
        rule: ContextRule = self.spec.rule()(parameters)
        return rule

    def train(self, inputs: Inputs, snapshots: Snapshots) -> Trained[Any]:
        """Learn from the training customers' decisions, judge on later ones of test customers.

        Raises:
            NotTrainableError: There are no such decisions, none with its propensity, or they are
                a log that is not what it must be; the message says why.
            TooLittleDataError: There are too few to judge.
        """
        rows = self._known(inputs, snapshots)
        learn, score = self._split(rows, snapshots)
        for name, part in (("training", learn), ("test", score)):
            if part.empty:
                raise NotTrainableError(f"there are no decisions of {name} customers in the log")
        try:
            # first, since it checks the log
            judged = Judged.of(self, score, inputs)
        except LogError as error:
            raise NotTrainableError(f"the log of {self.spec.subject}: {error}") from error
        policy = self.fit(learn, inputs)
        further = self.further(policy, learn, score)
        metrics = judged.metrics(policy) | further.pop("metrics", {})
        card = {
            "training_snapshot": snapshots.train[0].isoformat(),
            "training_snapshots": [snapshots.test.isoformat()],
            "test_snapshot": snapshots.test.isoformat(),
            "training_customers": int(learn[CUSTOMER].nunique()),
            "training_rows": len(learn),
            "test_customers": int(score[CUSTOMER].nunique()),
            "test_rows": len(score),
            "features": list(self.context),
            "actions": {
                name: round(float(share), 6)
                for name, share in zip(
                    self.spec.action_names, policy.chances(score).mean(axis=0), strict=True
                )
            },
            "metrics": metrics,
            "fairness": self._fairness(inputs, policy, score).to_dict(),
            **further,
        }
        return Trained(policy, card)

    def _known(self, inputs: Inputs, snapshots: Snapshots) -> pd.DataFrame:
        rows = self.log(inputs, snapshots.test + timedelta(days=self.spec.window_days))
        known = rows[rows[PROPENSITY].notna()]
        if rows.empty or known.empty:
            raise NotTrainableError(
                f"none of the {len(rows):,} decisions of {self.spec.subject} has a propensity: "
                "without the chance of each choice nothing can be said of another policy"
                if len(rows)
                else f"there are no decisions of {self.spec.subject} in the log"
            )
        return known.sort_values([ACTED_AT, CUSTOMER], ignore_index=True)

    def _split(self, rows: pd.DataFrame, snapshots: Snapshots) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return training customers' decisions rewarded by the test snapshot, and later tests'."""
        reward = self.spec.reward
        window = timedelta(days=reward.window_days if reward else 0)
        held_out = hash_split(rows[CUSTOMER])
        day = rows[ACTED_AT].dt.date
        learn = rows[~held_out & (day + window <= snapshots.test)]
        score = rows[held_out & (day > snapshots.test)]
        return learn.reset_index(drop=True), score.reset_index(drop=True)

    def data_versions(self, inputs: Inputs, snapshots: Snapshots) -> dict[str, str]:
        """Return a digest of each day of the tables that the log is made from."""
        last = snapshots.test + timedelta(days=self.spec.window_days)
        lake = inputs.engine.lake
        return {
            f"{table}/{day}": lake.digest(table, day)
            for table in self.spec.learns_from
            for day in lake.days(table)
            if day <= last
        }

    def evaluation_markdown(self, card: Mapping[str, Any]) -> str:
        """Return the off-policy evaluation of a version."""
        names = {
            GAIN: "reward a decision above the rule's",
            "policy": "reward a decision under the policy",
            "rule": "under the rule",
            "logged": "as it was logged",
            UNCOVERED: "share of choices that the log hardly has",
            LEAST_CHANCE: "least chance of an action that may be taken",
            "effective_sample_size": "effective sample size of the policy",
        }
        shares = ", ".join(f"{name} {share:.1%}" for name, share in card["actions"].items())
        return "\n\n".join(
            [
                f"## {self.spec.subject.capitalize()} {card.get('version', '')} against the rule",
                f"Learnt from {card['training_rows']:,} decisions on {card['training_customers']:,}"
                f" customers up to {card['test_snapshot']}; judged on {card['test_rows']:,} later "
                f"decisions on {card['test_customers']:,} other customers, doubly robust, 95 % "
                "intervals over customers.",
                metrics_markdown(card, names),
                f"Shares of what the policy would choose there: {shares}.",
                "What cannot be said: what the policy would bring customers whom the log has not, "
                f"and what comes later than the reward's window. {' '.join(self.spec.limits)}",
            ]
        )

    def _fairness(
        self, inputs: Inputs, policy: ContextPolicy, score: pd.DataFrame
    ) -> FairnessReport:
        """Report who of the test customers is offered what, one latest decision a customer."""
        latest = score.drop_duplicates(CUSTOMER, keep="last").reset_index(drop=True)
        people = inputs.engine.select(
            inputs.sql.query("features/demographics"),
            {"snapshot_date": latest[ACTED_AT].max().date()},
        ).to_pandas()
        latest = latest.drop(columns=list(SENSITIVE), errors="ignore").merge(
            people[[CUSTOMER, "age", "gender", "location"]], on=CUSTOMER, how="left"
        )
        chances = policy.chances(self.as_offered(latest))
        nothing = self.spec.action_names.index(NO_ACTION.name)
        offered = [
            Measure(f"offered_{name}", chances[:, position])
            for position, name in enumerate(self.spec.action_names)
            if position != nothing
        ]
        measures = [Measure(SELECTED, 1.0 - chances[:, nothing], judged=True), *offered]
        side = Side(CUSTOMERS, sensitive_columns(latest), measures)
        settings = inputs.fairness_settings(referenced=False)
        return fairness_report([side], attributes=SENSITIVE, **settings)

    def assess(self, inputs: Inputs, model: RegisteredModel) -> Assessment:  # noqa: ARG002 - measured at training
        """Return who of the test customers is offered what, as it was measured at training.

        To read the log again takes longer than anything else that is done with a version.

        Raises:
            NotTrainableError: It is of an older release, which did not measure it then.
        """
        if "fairness" not in model.card:
            raise NotTrainableError(
                f"{self.spec.name} {model.version} is of an older release, which did not measure "
                "fairness at training: train it again by `make run RETRAIN=1`"
            )
        return Assessment(FairnessReport.from_dict(model.card["fairness"]))

    def champion_advantage(
        self, inputs: Inputs, champion: RegisteredModel, candidate: RegisteredModel
    ) -> Interval:
        """Return by how much the champion's reward exceeds the candidate's on its test rows."""
        judged = Judged.of(self, self._test_rows(inputs, candidate), inputs)
        policies = [
            self.open(model, parameters=inputs.parameters) for model in (champion, candidate)
        ]
        return judged.difference(*policies)

    def _test_rows(self, inputs: Inputs, model: RegisteredModel) -> pd.DataFrame:
        """Return the decisions that a version was judged on."""
        test = date.fromisoformat(model.card["test_snapshot"])
        snapshots = Snapshots((date.fromisoformat(model.card["training_snapshot"]),), test)
        return self._split(self._known(inputs, snapshots), snapshots)[1]


@dataclass(frozen=True)
class Judged:
    """Test decisions, with the rewards that are expected of each action in each.

    Attributes:
        decision: The decision.
        rows: n decisions.
        log: The same, checked.
        rewards: n x k expected rewards, by models that did not see the row.
        rule: n x k chances of the rule.
        seed: Seed of the reward models.
    """

    decision: LearntDecision
    rows: pd.DataFrame
    log: DecisionLog
    rewards: Floats
    rule: Floats
    seed: int

    @classmethod
    def of(cls, decision: LearntDecision, rows: pd.DataFrame, inputs: Inputs) -> Judged:
        """Check the log and predict its rewards."""
        log = cls._log(decision, rows, REWARD)
        rewards = predicted_rewards(log, adaptive=decision.adaptive, random_state=inputs.seed)
        rule = decision.rule(inputs.parameters).chances(rows)
        return cls(decision, rows, log, rewards, rule, inputs.seed)

    @staticmethod
    def _log(decision: LearntDecision, rows: pd.DataFrame, reward: str) -> DecisionLog:
        spec = decision.spec
        return decision_log(
            rows,
            context=decision.context,
            actions=(*spec.action_names, *spec.withdrawn),
            reward=reward,
            group=CUSTOMER,
            acted_at=ACTED_AT,
        )

    def _table(self, chances: Floats) -> Floats:
        """Return chances with those of withdrawn actions, which are 0."""
        return np.pad(chances, ((0, 0), (0, len(self.decision.spec.withdrawn))))

    def _evaluate(
        self, policy: Floats | None, baseline: Floats | None = None, *, reward: str = REWARD
    ) -> Evaluation:
        of_reward = reward == REWARD
        return evaluate_policy(
            self.log if of_reward else self._log(self.decision, self.rows, reward),
            None if policy is None else self._table(policy),
            baseline=None if baseline is None else self._table(baseline),
            rewards=self.rewards if of_reward else None,
            adaptive=self.decision.adaptive,
            # the gate says it, beside the estimate
            require_overlap=False,
            random_state=self.seed,
        )

    def metrics(self, policy: ContextPolicy) -> dict[str, Any]:
        """Return the figures of a policy's card."""
        chances = policy.chances(self.rows)
        gain = self._evaluate(chances, self.rule)
        overlaps = [one for one in (gain.overlap, gain.baseline_overlap) if one is not None]
        values = {
            "policy": _interval(self._evaluate(chances)),
            "rule": _interval(self._evaluate(self.rule)),
            "logged": _interval(self._evaluate(None)),
            **{
                f"added_{name}": _interval(self._evaluate(chances, self.rule, reward=name))
                for name in self.decision.outcomes
            },
        }
        allowed = self.decision.allowed(self.rows)
        return {
            GAIN: _interval(gain).to_dict(),
            **{name: value.to_dict() for name, value in values.items()},
            UNCOVERED: max(one.rare_mass + one.missing_mass for one in overlaps),
            "effective_sample_size": gain.overlap.effective_sample_size,
            LEAST_CHANCE: float(chances[allowed].min()) if allowed.any() else math.nan,
        }

    def difference(self, policy: ContextPolicy, other: ContextPolicy) -> Interval:
        """Return by how much a policy's reward exceeds another's."""
        chances = policy.chances(self.rows), other.chances(self.rows)
        return _interval(self._evaluate(*chances))


def _interval(evaluation: Evaluation) -> Interval:
    estimate = evaluation.estimates[DR]
    return Interval(estimate.value, estimate.low, estimate.high)


def learnt_decision(spec: DecisionSpec) -> LearntDecision:
    """Return the adapter of a learnt decision; loads the learning libraries."""
    adapter: Any = spec.adapter()
    if not isinstance(adapter, LearntDecision):
        raise TypeError(f"derive the adapter of {spec.name} from LearntDecision")
    return adapter


class ContextChooser(Policy):
    """Draws each customer's action from a policy's chances.

    The draw of a customer and day follows from the policy's version, so that making a day again
    chooses the same; over customers it is as good as by chance.

    Args:
        decision: The decision's adapter.
        policy: The learnt policy, or the rule.
        champion: Its version in the registry; None for the rule.
        parameters: As of `RulePolicy`.
    """

    def __init__(
        self,
        decision: LearntDecision,
        policy: ContextPolicy,
        *,
        champion: str | None,
        parameters: Mapping[str, Any],
    ) -> None:
        self.spec = decision.spec
        self.decision = decision
        self.policy = policy
        self.champion = champion
        self._version = champion or rule_version(decision.spec, parameters)

    @property
    def version(self) -> str:
        """Names the policy."""
        return self._version

    def __call__(self, rows: pd.DataFrame, context: Context) -> Predictions:  # noqa: ARG002 - a predictor's
        """Choose for customers by their features."""
        return Predictions(self.choose(self.decision.contexts(rows)))

    def choose(self, contexts: pd.DataFrame) -> pd.DataFrame:
        """Return the choices of contexts, with `customer_id` and `snapshot_date`, of one day."""
        if contexts.empty:
            return self.spec.nobody()
        day = contexts["snapshot_date"].iloc[0]
        salt = f"{self.spec.name} {self.version} {day}"
        return self.draw(contexts, hash_positions(contexts[CUSTOMER], salt=salt))

    def draw(self, contexts: pd.DataFrame, positions: Floats) -> pd.DataFrame:
        """Return the choices that n positions in [0, 1) draw, with the propensity of that draw."""
        chances = self.policy.chances(contexts)
        chosen = drawn(chances, positions)
        about = self.policy.describe(contexts, chosen)
        return about.assign(
            customer_id=contexts[CUSTOMER].to_numpy(),
            action=np.array(self.spec.action_names, dtype=object)[chosen],
            # chances that were computed to sum to 1 do so up to rounding
            propensity=np.minimum(
                chances[np.arange(len(chosen)), chosen] / chances.sum(axis=1), 1.0
            ),
            policy_version=self.version,
        )


def serving_policy(
    spec: DecisionSpec, registry: ModelRegistry, parameters: Mapping[str, Any]
) -> Policy:
    """Return what decides now: the champion, or the rule where none is learnt or none serves.

    Raises:
        TamperedModelError: A file of the champion is not what was registered.
    """
    if not spec.learnt:
        rule: Policy = spec.rule()(parameters)
        return rule
    decision = learnt_decision(spec)
    version = registry.champion(spec.name)
    if version is None:
        policy: ContextPolicy = decision.rule(parameters)
    else:
        policy = decision.open(registered(registry, spec.name, version), parameters=parameters)
    return ContextChooser(decision, policy, champion=version, parameters=parameters)
