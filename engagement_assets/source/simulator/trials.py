"""Experiments beside `premium_upgrade`, and a campaign: who gets what, with what effect on use.

Belongs here: assignment, effects, spill-over, exposures, the global holdout's rows. Does not belong
here: the experiment `premium_upgrade`, whose effect is on engagement (`experiment.py`).

An effect is added to the log of the expected sessions of a day, from the day after the assignment
to the experiment's last day, in sizes that are multiplied with the world's strength:

- `new_icon`: none.
- `feed_ranking`: by depth of use, -0.25 for those who do least in a visit, up to +0.30.
- `checkout_redesign`: none, but treated customers are lost, above all those on desktops and those
  who do most in a visit.
- `friend_challenge`: +0.15, and +0.20 times the share of one's friends who are treated, in either
  variant.
- `spring_campaign`: +0.10; no experiment, for it goes to those who use the app more.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.causes import Causes
from engagement_assets.source.simulator.experiment import Experiment, lifted, usual_rate
from engagement_assets.source.simulator.graph import FriendshipGraph
from engagement_assets.source.simulator.life import LifeCourses
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.sessions import SessionBatch

HOLDOUT = "global_holdout"
_FEED_EFFECT_BY_DEPTH = np.array([-0.25, -0.05, 0.10, 0.20, 0.30])
_CHALLENGE_EFFECT, _CHALLENGE_SPILLOVER = 0.15, 0.20
_CAMPAIGN_EFFECT, _CAMPAIGN_SLOPE = 0.10, 1.2
_LOST_ON_DESKTOP, _LOST_OF_DEEP, _DEEP = 0.6, 0.35, 3
# Share of visits in which a customer meets what an experiment varies.
_MEETS = 0.15
_ASSIGNED_AT_SECONDS = 9 * 3_600.0


@dataclass(frozen=True)
class Plan:
    """When an experiment runs, in parts of the asked range."""

    name: str
    opens: float  # first assignments
    closes: float  # end of the assignments
    ends: float  # end of its effect
    random: bool = True  # whether lots are drawn


PLANS = (
    Plan("new_icon", 0.10, 0.15, 0.28),
    Plan("feed_ranking", 0.30, 0.36, 0.60),
    Plan("checkout_redesign", 0.40, 0.45, 0.56),
    Plan("friend_challenge", 0.50, 0.54, 0.62),
    Plan("spring_campaign", 0.72, 0.76, 0.90, random=False),
)


class Trial:
    """One experiment: who is in it, and what it does.

    Attributes:
        name: Its name.
        random: Whether lots were drawn.
        first: Day of the world of its first assignments.
        last: Day of the world after its last effect.
        day: Day of the world on which each customer signed up before it is assigned if eligible.
        treated: Whether the customer's variant is the treatment.
        propensity: Chance with which the customer got the treatment.
        effect: What the treatment adds to the log of expected sessions.
        spillover: What friends' treatment adds to it, in either variant.
    """

    def __init__(
        self,
        plan: Plan,
        population: Population,
        life: LifeCourses,
        graph: FriendshipGraph,
        strength: float,
        held: np.ndarray,
    ) -> None:
        self.name, self.random = plan.name, plan.random
        start, closes, ends = _days(plan, population)
        self.first, self.last = start, ends
        count = population.count(start - 1)
        draws = generator(population.seed, f"trial/{plan.name}").random((population.size, 3))
        draws = draws[:count]
        self.day = start + np.floor(draws[:, 0] * max(closes - start, 1)).astype(np.int64)
        self.propensity = np.full(count, 0.5)
        self.effect = np.zeros(count)
        self.spillover = np.zeros(count)
        self._life = life
        self._lost = np.zeros(count, dtype=bool)
        self._may = ~(population.is_bot[:count] | held[:count])
        depth = population.depth[:count]
        if plan.name == "spring_campaign":
            self.propensity = _campaign_chances(life, start, count)
            self.effect += strength * _CAMPAIGN_EFFECT
        self.treated = draws[:, 1] < self.propensity
        if plan.name == "feed_ranking":
            self.effect += strength * _FEED_EFFECT_BY_DEPTH[depth]
        if plan.name == "checkout_redesign":
            desktop = population.device[:count] == p.DEVICES.index("desktop")
            chance = np.where(desktop, _LOST_ON_DESKTOP, _LOST_OF_DEEP * (depth >= _DEEP))
            self._lost = self.treated & (draws[:, 2] < chance)
        if plan.name == "friend_challenge":
            self.effect += strength * _CHALLENGE_EFFECT
            shares = _treated_friends(graph, start, self.treated & self._may)
            self.spillover = strength * _CHALLENGE_SPILLOVER * shares

    def taken(self, known: int) -> np.ndarray:
        """Whether each customer is assigned by the end of a day: who is still there."""
        self._life.advance(known)
        stays = self._life.leaving_from[: len(self.day)] > self.day
        taken: np.ndarray = self._may & ~self._lost & stays & (self.day <= known)
        return taken

    def added(self, known: int, day: int) -> np.ndarray:
        """What it adds to the log of expected sessions of a day, given assignments by another."""
        works = self.taken(known) & self.treated & (self.day < day)
        added: np.ndarray = np.where(works, self.effect, 0.0) + self.spillover
        return added


class Trials:
    """All experiments beside `premium_upgrade`, and the global holdout."""

    def __init__(
        self,
        population: Population,
        life: LifeCourses,
        graph: FriendshipGraph,
        experiment: Experiment,
        causes: Causes,
        held: np.ndarray,
    ) -> None:
        self._population = population
        self._life = life
        self._graph = graph
        self._experiment = experiment
        self._causes = causes
        self._held = held
        self._made: dict[str, Trial] = {}

    def factor(self, known: int, day: int) -> np.ndarray | None:
        """What experiments multiply the expected sessions of a day with; see `Influence`."""
        running = [trial for trial in self.by(known) if trial.first < day < trial.last]
        if not running:
            return None
        added = np.zeros(self._population.count(known))
        for trial in running:
            added[: len(trial.day)] += trial.added(known, day)
        factors: np.ndarray = np.exp(added)
        return factors

    def by(self, day: int) -> list[Trial]:
        """The experiments that have begun by a day."""
        if not self._causes.experiments:
            return []
        begun = [plan for plan in PLANS if _days(plan, self._population)[0] <= day]
        return [self._trial(plan) for plan in begun]

    def assignment_rows(self, day: int, first_day: date) -> pa.Table:
        """The rows of table `experiment_assignments` of a day, but those of `premium_upgrade`."""
        parts = [self._holdout_rows(day, first_day)]
        for trial in self.by(day):
            new = np.flatnonzero(trial.taken(day) & (trial.day == day))
            if len(new) == 0:
                continue
            columns: tables.Columns = {
                "experiment": pa.array([trial.name] * len(new), pa.string()),
                "customer_id": self._population.named(new),
                "variant": tables.labels(
                    ["control", "treatment"], trial.treated[new].astype(np.int64)
                ),
                "occurred_at": tables.timestamps(
                    first_day, day, np.full(len(new), _ASSIGNED_AT_SECONDS)
                ),
            }
            if trial.random:
                columns["propensity"] = np.full(len(new), 0.5)
            parts.append(tables.build("experiment_assignments", columns))
        return pa.concat_tables(parts)

    def exposure_rows(self, batch: SessionBatch, first_day: date) -> pa.Table:
        """The rows of table `experiment_exposures` of a batch of sessions."""
        people, day, experiment = self._population, batch.day, self._experiment
        if not self._causes.experiments:
            return tables.empty("experiment_exposures")
        running = [
            (trial.name, trial.taken(day) & (trial.day < day))
            for trial in self.by(day)
            if trial.random and day < trial.last
        ]
        if day > experiment.window[0]:
            count = people.count(day)
            since = experiment.assigned_day[:count] < day
            running.append((p.EXPERIMENT, experiment.assigned(day) & since))
        parts = [tables.empty("experiment_exposures")]
        for name, inside in running:
            rng = generator(people.seed, f"exposures/{name}", day, int(batch.late))
            met = np.flatnonzero(rng.random(batch.size) < _MEETS)
            customer = batch.customer[met]
            among = customer < len(inside)
            among[among] = inside[customer[among]]
            met, customer = met[among], customer[among]
            seconds = batch.start[met]
            parts.append(
                tables.build(
                    "experiment_exposures",
                    {
                        "experiment": pa.array([name] * len(met), pa.string()),
                        "customer_id": people.named(customer),
                        "occurred_at": tables.timestamps(first_day, day, seconds),
                        "recorded_at": batch.recorded_at(first_day, met, seconds),
                    },
                )
            )
        return pa.concat_tables(parts)

    def truth(self, day: int) -> pa.Table:
        """Who is assigned by a day, with what chance, and what that does to a usual week."""
        people = self._population
        usual, weight = usual_rate(people), self._experiment.session_weight
        count = people.count(day)
        inside = np.flatnonzero(self._experiment.assigned(day))
        nominal = self._experiment.nominal_effect[inside]
        higher = lifted(usual[inside], weight[inside], nominal)
        parts = [
            self._truth_rows(
                p.EXPERIMENT,
                inside,
                self._experiment.treated_variant[inside],
                np.full(len(inside), 0.5),
                usual[inside],
                higher,
                np.zeros(len(inside)),
            )
        ]
        for trial in self.by(day):
            inside = np.flatnonzero(trial.taken(day)[:count])
            plain = usual[inside]
            parts.append(
                self._truth_rows(
                    trial.name,
                    inside,
                    trial.treated[inside],
                    trial.propensity[inside],
                    plain,
                    plain * np.exp(trial.effect[inside]),
                    plain * np.expm1(trial.spillover[inside]),
                )
            )
        return pa.concat_tables(parts)

    def _truth_rows(
        self,
        name: str,
        customer: np.ndarray,
        treated: np.ndarray,
        propensity: np.ndarray,
        plain: np.ndarray,
        higher: np.ndarray,
        spillover: np.ndarray,
    ) -> pa.Table:
        weight = self._experiment.session_weight[customer]
        return pa.table(
            {
                "experiment": pa.array([name] * len(customer), pa.string()),
                "customer_id": self._population.named(customer),
                "variant": tables.labels(["control", "treatment"], treated.astype(np.int64)),
                "treatment_propensity": propensity,
                "effect_daily_sessions": higher - plain,
                "effect_daily_engagement": np.exp(-plain * weight) - np.exp(-higher * weight),
                "spillover_daily_sessions": spillover,
            }
        )

    def _holdout_rows(self, day: int, first_day: date) -> pa.Table:
        people, share = self._population, self._causes.holdout_share
        if share == 0.0:
            return tables.empty("experiment_assignments")
        since = 0 if day == p.LEAD_DAYS else people.count(day - 1)
        new = np.arange(since, people.count(day))
        whole = np.floor(people.signed_up[new])
        seconds = (people.signed_up[new] - whole) * p.SECONDS_PER_DAY
        held = self._held[new]
        return tables.build(
            "experiment_assignments",
            {
                "experiment": pa.array([HOLDOUT] * len(new), pa.string()),
                "customer_id": people.named(new),
                "variant": tables.labels(["programme", "holdout"], held.astype(np.int64)),
                "occurred_at": tables.timestamps(first_day, whole, seconds),
                "propensity": np.where(held, share, 1.0 - share),
                "recorded_at": tables.timestamps(
                    first_day, day, np.where(whole < day, 0.0, seconds)
                ),
            },
        )

    def _trial(self, plan: Plan) -> Trial:
        if plan.name not in self._made:
            self._made[plan.name] = Trial(
                plan, self._population, self._life, self._graph, self._causes.strength, self._held
            )
        return self._made[plan.name]


def _days(plan: Plan, population: Population) -> tuple[int, int, int]:
    opens, closes, ends = (
        p.LEAD_DAYS + round(part * population.days) for part in (plan.opens, plan.closes, plan.ends)
    )
    return opens, closes, ends


def _campaign_chances(life: LifeCourses, start: int, count: int) -> np.ndarray:
    """Who uses the app more is sent the campaign more often."""
    use = np.log(np.maximum(life.usual(start)[:count], 1e-3))
    spread = max(float(use.std()), 1e-9)
    chances = 1.0 / (1.0 + np.exp(-_CAMPAIGN_SLOPE * (use - use.mean()) / spread))
    clipped: np.ndarray = np.clip(chances, 0.03, 0.97)
    return clipped


def _treated_friends(graph: FriendshipGraph, day: int, treated: np.ndarray) -> np.ndarray:
    """Share of each customer's friends on a day who are treated; 0 without friends."""
    friends, count = graph.friends(day), len(treated)
    degree = friends.degree[:count]
    owner = np.repeat(np.arange(count), degree)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(degree) - degree, degree)
    friend = friends.friend[friends.start[owner] + offset]
    among = np.zeros(len(friend), dtype=bool)
    inside = friend < count
    among[inside] = treated[friend[inside]]
    shares: np.ndarray = np.bincount(owner, among, minlength=count) / np.maximum(degree, 1)
    return shares
