"""How likely a customer is to have no session in the days to come, given one path of discontent.

Belongs here: the integral over what is not yet known at the end of a day. Does not belong here:
the average over paths and the tables (`truth.py`).

The path of discontent is given; the week in which a customer begins to leave and absences are
summed over exactly, which takes most of the noise out of the average over paths (Rao-Blackwell).
Two simplifications, both small: who begins to leave in a week does so in its middle, and the days
of a week share its mean rate where the experiment's effect bends it.
"""

import numpy as np

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.experiment import Experiment, lifted
from engagement_assets.source.simulator.life import LifeCourses, decay, hazard, next_discontent
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.reminders import Reminders, with_caused

CHURN_DAYS = 30


class Forecast:
    """Chance of no session in the 30 days after a day, for some customers signed up by then."""

    def __init__(
        self,
        population: Population,
        life: LifeCourses,
        experiment: Experiment,
        day: int,
        who: np.ndarray,
        reminders: Reminders | None = None,
    ) -> None:
        self._rate = population.rate[who]
        self._sensitivity = population.sensitivity[who]
        self._hazard = population.hazard[who]
        self._mean = p.DISCONTENT_MEAN[population.persona[who]].astype(np.float32)
        self._now = life.discontent(day)[who]
        # Absence is drawn for a whole week, so that of the running week is known.
        self._away_now = life.away(day)[who]
        chosen = experiment.assigned(day)[who] & experiment.treated_variant[who]
        self._treated = np.flatnonzero(chosen)
        self._effect = experiment.nominal_effect[who][self._treated]
        self._weight = experiment.session_weight[who][self._treated]
        days = np.arange(day + 1, day + 1 + CHURN_DAYS)
        week = days // p.DAYS_PER_WEEK
        self._weeks = [days[week == w] for w in range(day // p.DAYS_PER_WEEK, int(week[-1]) + 1)]
        self._season = [np.array([life.season(int(d)) for d in part]) for part in self._weeks]
        decay_days = population.decay_days[who]
        self._kept_left = self._use_left(life.leaving_from[who], decay_days)
        self._kept_after = [
            self._use_left(np.full(len(who), days.mean() + 0.5), decay_days) if len(days) else []
            for days in self._weeks
        ]
        self._caused = np.zeros(len(who)) if reminders is None else reminders.expected(day)[who]
        self._influence, self._kept = _known_factors(life, day, self._weeks, who)
        self._whole = [(part.sum(), float(len(part))) for part in self._season]

    def quiet_of_leavers(self, rng: np.random.Generator) -> np.ndarray:
        """Chance of no session of those who have begun to leave, on a random path."""
        quiet = np.ones(len(self._rate))
        for week, (rate, _) in enumerate(self._path(rng)):
            quiet *= self._quiet(week, rate, *self._kept_left[week])
        return quiet

    def quiet_of_stayers(self, rng: np.random.Generator) -> np.ndarray:
        """Chance of no session of those who have not begun to leave, on a random path."""
        path = list(self._path(rng))
        total, survival = np.zeros(len(self._rate)), np.ones(len(self._rate))
        quiet = np.ones(len(self._rate))
        for week, (rate, begins) in enumerate(path):
            if len(self._weeks[week]):
                after = quiet.copy()
                for later in range(week, len(path)):
                    left = self._kept_after[week][later]
                    after *= self._quiet(later, path[later][0], *left)
                total += survival * begins * after
                whole, days = self._whole[week]
                quiet *= self._quiet(week, rate, whole, days)
            survival *= 1.0 - begins
        return total + survival * quiet

    def _path(self, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        """Session rate of those who stay, and chance of beginning to leave, in each week."""
        discontent, path = self._now, []
        for week, days in enumerate(self._weeks):
            if week:
                noise = rng.standard_normal(len(discontent), np.float32)
                discontent = next_discontent(discontent, self._mean, noise)
            rate = self._rate * np.exp(-self._sensitivity * discontent) * self._influence[week]
            rate = with_caused(rate, self._caused)
            part = len(days) / p.DAYS_PER_WEEK
            risk = hazard(self._hazard, discontent) * self._kept[week]
            path.append((rate, -np.expm1(-part * risk)))
        return path

    def _use_left(
        self, leaving: np.ndarray, decay_days: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Share of use left to leavers in each week, summed over days: with season and without."""
        shares = []
        for days, season in zip(self._weeks, self._season, strict=True):
            left = np.zeros((len(leaving), len(days)))
            for column, day in enumerate(days):
                left[:, column] = decay(day + 0.5 - leaving, decay_days)
            shares.append((left @ season, left.sum(axis=1)))
        return shares

    def _quiet(
        self, week: int, rate: np.ndarray, seasons: np.ndarray | float, days: np.ndarray | float
    ) -> np.ndarray:
        """Chance of no session in a week, absence summed over where it is not known."""
        expected = rate * seasons
        length = len(self._weeks[week])
        if length == 0:
            return np.ones(len(rate))
        share = np.broadcast_to(np.asarray(days) / length, expected.shape)
        if week == 0:
            away = self._away_now
            known: np.ndarray = np.exp(-self._lift(expected * away, share * away, length))
            return known
        here = np.exp(-self._lift(expected, share, length))
        absent = np.exp(-self._lift(expected * p.AWAY_FACTOR, share * p.AWAY_FACTOR, length))
        chance: np.ndarray = (1.0 - p.AWAY_CHANCE) * here + p.AWAY_CHANCE * absent
        return chance

    def _lift(self, sessions: np.ndarray, share: np.ndarray, length: int) -> np.ndarray:
        """Expected sessions of some days alike, with the experiment's effect on the treated."""
        rows = self._treated
        if len(rows) == 0:
            return sessions
        lifted_sessions = sessions.copy()
        effect = self._effect * share[rows]
        lifted_sessions[rows] = length * lifted(sessions[rows] / length, self._weight, effect)
        return lifted_sessions


def _known_factors(
    life: LifeCourses, day: int, weeks: list[np.ndarray], who: np.ndarray
) -> tuple[list[np.ndarray | float], list[np.ndarray | float]]:
    """What multiplies use, and the hazard of leaving, in each week, as known at a day's end."""
    use: list[np.ndarray | float] = []
    hazard_factors: list[np.ndarray | float] = []
    for days in weeks:
        factors = [life.influence(day, int(ahead)) for ahead in days]
        known = [np.ones(len(who)) if one is None else one[who] for one in factors]
        use.append(np.mean(known, axis=0) if known else 1.0)
        less = life.hazard_factor(day, int(days[0])) if len(days) else None
        hazard_factors.append(1.0 if less is None else less[who])
    return use, hazard_factors
