"""What the company does to customers: marketing actions, the experiment's assignments, events.

Belongs here: the rows of `action_log`, `experiment_assignments` and `event_joins`. Does not belong
here: the experiment's effect (`experiment.py`), notifications (`messaging.py`).
"""

from datetime import date

import numpy as np
import pyarrow as pa

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator import tables
from engagement_assets.source.simulator.experiment import Experiment
from engagement_assets.source.simulator.population import Population
from engagement_assets.source.simulator.randomness import generator
from engagement_assets.source.simulator.sessions import SessionBatch

ACTIONS = ("discount", "content_tip", "friend_suggestion", "premium_trial", "gig_alert")
TIMES_OF_DAY = ("night", "morning", "afternoon", "evening")
LAST_ACTIONS = ("browse", "interaction", "message", "post")
# Log odds of completing an action (columns), by persona, time of day, device and last action.
_BASE = np.array([-0.9, -0.4, -0.7, -1.5, -1.6])
_BY_PERSONA = np.array(
    [
        [0.1, 0.7, 0.4, 0.8, -0.3],
        [0.6, 0.6, -0.4, -0.4, -0.9],
        [0.3, -0.2, -0.3, 0.2, 2.3],
        [-0.1, 0.2, 1.3, 0.1, -0.7],
        [0.9, -0.5, -0.8, -0.6, -0.6],
        [0.8, 0.3, 0.9, 0.4, -0.2],
    ]
)
_BY_TIME = np.array(
    [
        [-0.6, 0.2, 0.0, -0.5, -0.8],
        [0.1, 0.3, -0.2, 0.0, 0.7],
        [0.3] * 5,
        [0.2, 0.4, 0.5, 0.3, -0.2],
    ]
)
_BY_DEVICE = np.array([[0.0, 0.2, 0.3, -0.2, 0.1], [0.3, -0.2, -0.2, 0.5, 0.2], [0.0] * 5])
_BY_LAST = np.array(
    [
        [0.1, 0.2, -0.2, 0.0, 0.1],
        [0.0, 0.6, 0.2, 0.0, -0.1],
        [-0.1, -0.2, 0.8, 0.1, 0.0],
        [0.0, 0.3, 0.4, 0.5, 0.0],
    ]
)
# Log odds with which the logging policy chooses an action, by time of day and device.
_POLICY_BY_TIME = np.array(
    [
        [0.0, 0.8, 0.2, -0.4, -0.6],
        [0.3, 0.2, 0.0, 0.0, 0.7],
        [0.6, 0.0, 0.2, 0.3, 0.0],
        [0.2, 0.5, 0.6, 0.0, -0.4],
    ]
)
_POLICY_BY_DEVICE = np.array([[0.0, 0.3, 0.3, -0.2, 0.0], [0.3, -0.3, -0.2, 0.5, 0.0], [0.0] * 5])


def action_chances(time_of_day: np.ndarray, device: np.ndarray) -> np.ndarray:
    """Chance with which each action is chosen, shape (contexts, actions); rows sum to 1."""
    odds = np.exp(_POLICY_BY_TIME[time_of_day] + _POLICY_BY_DEVICE[device])
    chances: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
    return chances


def completion_chances(
    persona: np.ndarray, time_of_day: np.ndarray, device: np.ndarray, last_action: np.ndarray
) -> np.ndarray:
    """Chance that each action would be completed, shape (contexts, actions)."""
    logit = _BASE + _BY_PERSONA[persona] + _BY_TIME[time_of_day]
    logit = logit + _BY_DEVICE[device] + _BY_LAST[last_action]
    chances: np.ndarray = 1.0 / (1.0 + np.exp(-logit))
    return chances


def action_rows(batch: SessionBatch, population: Population, first_day: date) -> pa.Table:
    """The rows of table `action_log`: an action is tried in a few of the sessions."""
    rng = generator(population.seed, "actions", batch.day, int(batch.late))
    tried = rng.random(batch.size) < p.ACTION_CHANCE
    session = np.flatnonzero(tried & ~population.is_bot[batch.customer])
    count = len(session)
    draws = rng.random((3, count))
    seconds = batch.moment(session, draws[0])
    customer = batch.customer[session]
    device = batch.device[session]
    time_of_day = np.floor(seconds / 21_600.0).astype(np.int64)
    last = np.select(
        [batch.posts[session] > 0, batch.messages[session] > 0, batch.interactions[session] > 0],
        [3, 2, 1],
        0,
    )
    chances = action_chances(time_of_day, device)
    below = np.cumsum(chances, axis=1)[:, :-1] <= draws[1][:, None]
    action = below.sum(axis=1)
    everyone = np.arange(count)
    done = completion_chances(population.persona[customer], time_of_day, device, last)
    return tables.build(
        "action_log",
        {
            "action_id": tables.numbered_ids(f"x{batch.mark}", count),
            "customer_id": population.named(customer),
            "occurred_at": tables.timestamps(first_day, batch.day, seconds),
            "action": tables.labels(ACTIONS, action),
            "propensity": chances[everyone, action],
            "time_of_day": tables.labels(TIMES_OF_DAY, time_of_day),
            "last_action": tables.labels(LAST_ACTIONS, last),
            "device": tables.labels(p.DEVICES, device),
            "completed": draws[2] < done[everyone, action],
            "recorded_at": batch.recorded_at(first_day, session, seconds),
        },
    )


def assignment_rows(
    day: int, experiment: Experiment, population: Population, first_day: date
) -> pa.Table:
    """The rows of table `experiment_assignments` of a day."""
    chosen = experiment.assigned(day)
    new = np.flatnonzero(chosen & (experiment.assigned_day[: len(chosen)] == day))
    variant = experiment.treated_variant[new].astype(np.int64)
    return tables.build(
        "experiment_assignments",
        {
            "experiment": tables.labels([p.EXPERIMENT], np.zeros(len(new), dtype=np.int64)),
            "customer_id": population.named(new),
            "variant": tables.labels(["control", "treatment"], variant),
            "occurred_at": tables.timestamps(first_day, day, np.full(len(new), 9 * 3_600.0)),
            "propensity": np.full(len(new), 0.5),
        },
    )


def event_rows(batch: SessionBatch, population: Population, first_day: date) -> pa.Table:
    """The rows of table `event_joins` of a batch of sessions; events last one day."""
    rng = generator(population.seed, "events", batch.day, int(batch.late))
    session = np.repeat(np.arange(batch.size), batch.events)
    draws = rng.random((2, len(session)))
    # A few events draw most people; the number of events grows with the customers.
    events = 5 + population.founders // 2_000
    event = np.floor(events * draws[0] ** 2).astype(np.int64)
    customer = batch.customer[session]
    _, first = np.unique(customer * np.int64(events) + event, return_index=True)
    session, event, customer = session[first], event[first], customer[first]
    seconds = batch.moment(session, draws[1, first])
    return tables.build(
        "event_joins",
        {
            "customer_id": population.named(customer),
            "event_id": tables.numbered_ids(f"e{batch.day}-", events).take(pa.array(event)),
            "occurred_at": tables.timestamps(first_day, batch.day, seconds),
            "recorded_at": batch.recorded_at(first_day, session, seconds),
        },
    )
