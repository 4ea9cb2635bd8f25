"""Who lives in the world: everything about a customer that does not change from week to week.

Belongs here: sign-ups, personas, demographics, habits and tastes. Does not belong here: what
changes with time (`life.py`), who knows whom (`graph.py`), rows of tables (`records.py`).

Customers are numbered in the order of their sign-up, so those signed up by a day are a prefix.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_assets.source.simulator import parameters as p
from engagement_assets.source.simulator.randomness import generator

# Hours of the day at which people of a habit use the app; one row a habit.
HOUR_HABITS = ("morning", "commuter", "lunch", "evening", "night_owl", "all_day")
_HOUR_PEAKS: tuple[tuple[tuple[float, float, float], ...], ...] = (
    ((7.0, 1.8, 1.0), (13.0, 4.0, 0.35)),
    ((8.0, 1.2, 1.0), (18.0, 1.6, 1.0)),
    ((12.5, 1.5, 1.0), (19.0, 3.0, 0.6)),
    ((20.5, 1.8, 1.0), (13.0, 3.0, 0.25)),
    ((0.5, 2.2, 1.0), (22.5, 1.5, 0.5)),
    ((15.0, 5.5, 1.0),),
)
_HABIT_SHARES = np.array([0.15, 0.2, 0.15, 0.27, 0.1, 0.13])
# Mean wait for a premium account of payers and of others; it has no memory.
PREMIUM_WAIT_DAYS = (500.0, 15_000.0)


@dataclass(frozen=True)
class Population:
    """The customers of a world, one entry of every array a customer."""

    founders: int  # how many sign up by the last day of the asked range
    days: int  # length of the asked range in days
    seed: int  # the world's seed
    signed_up: np.ndarray  # instant of sign-up in days of the world
    persona: np.ndarray  # index into `PERSONAS`
    birth_day: np.ndarray  # day of the world of the birth, negative
    gender: np.ndarray  # index into the contract's genders
    location: np.ndarray  # index into `LOCATIONS`
    # instant from which the account is premium, in days; infinite if never
    premium_from: np.ndarray
    is_bot: np.ndarray  # whether a program uses the account
    is_fraud: np.ndarray  # whether the account is used to cheat
    rate: np.ndarray  # sessions a day when content
    hazard: np.ndarray  # chance a week to begin to leave when content
    decay_days: np.ndarray  # time in which the use of a leaver falls to 1/e
    sensitivity: np.ndarray  # fall of the log rate with discontent
    is_occasional: np.ndarray  # whether the customer looks in only now and then
    minutes: np.ndarray  # median minutes of a session
    depth: np.ndarray  # index into `DEPTH_FACTORS`: how much is done in a session
    weekend: np.ndarray  # factor of use at the weekend
    habit: np.ndarray  # index into `HOUR_HABITS`
    device: np.ndarray  # index into `DEVICES` of the usual device
    time_zone: np.ndarray  # index into the time zones of the location; -1 where there are none
    utc_offset: np.ndarray  # hours by which the customer's clock is before UTC's
    community: np.ndarray  # number of the community
    sociability: np.ndarray  # expected number of friends, relative
    taste: np.ndarray  # shape (customers, `TASTE_DIMENSIONS`)
    favourite: np.ndarray  # index into `CATEGORIES`
    payment_chance: np.ndarray  # chance of a payment in a session
    payment_usd: np.ndarray  # median payment

    @property
    def size(self) -> int:
        """Number of customers up to the horizon."""
        return len(self.signed_up)

    @cached_property
    def signed_up_day(self) -> np.ndarray:
        """Day of the world of each sign-up."""
        days: np.ndarray = np.floor(self.signed_up).astype(np.int64)
        return days

    @cached_property
    def ids(self) -> pa.Array:
        """Customer ids in order of sign-up."""
        digits = pc.utf8_lpad(pa.array(np.arange(self.size)).cast(pa.string()), 7, "0")
        return pc.binary_join_element_wise("c", digits, "")

    def count(self, day: int) -> int:
        """How many customers have signed up by the end of a day of the world."""
        return int(np.searchsorted(self.signed_up, day + 1, side="left"))

    def named(self, customers: np.ndarray) -> pa.Array:
        """Ids of customers given by number."""
        return self.ids.take(pa.array(customers))


def later_rate(founders: int, days: int) -> float:
    """Sign-ups a day after the asked range: as many as before, on average."""
    return founders / (p.LEAD_DAYS + days)


def populate(
    *, customers: int, seed: int, days: int, horizon: int, time_zones: bool = False
) -> Population:
    """Draw the customers who sign up by a horizon, with time zones or all living by UTC.

    Returns:
        The population. A later horizon only adds customers at its end.
    """
    signed_up = _sign_ups(customers, seed, days, horizon)
    size = len(signed_up)

    def draw(stream: str) -> np.random.Generator:
        return generator(seed, f"population/{stream}")

    persona = _personas(customers, size, draw("persona"))
    kind = draw("kind").random(size)
    is_bot = kind < p.BOT_SHARE
    is_fraud = (kind >= p.BOT_SHARE) & (kind < p.BOT_SHARE + p.FRAUD_SHARE)
    low, high = p.LEAVING_DECAY_DAYS
    occasional = draw("occasional").random(size) < p.OCCASIONAL_SHARE[persona]
    usual = np.where(occasional, p.OCCASIONAL_RATE, p.SESSION_RATE[persona])
    spread = np.where(occasional, p.OCCASIONAL_RATE_SIGMA, p.SESSION_RATE_SIGMA)
    rate = usual * np.exp(spread * draw("rate").standard_normal(size))
    hazard = p.LEAVING_HAZARD[persona] * np.where(occasional, p.OCCASIONAL_HAZARD, 1.0)
    depth = draw("depth").integers(0, len(p.DEPTH_FACTORS), size).astype(np.int8)
    minutes = p.DURATION_MINUTES[persona] * p.DEPTH_FACTORS[depth]
    minutes = minutes * np.where(occasional, p.OCCASIONAL_LENGTH, 1.0)
    community = _communities(customers, size, draw("community"))
    taste, favourite = _tastes(seed, community, draw("taste"))
    payer = draw("payer").random(size) < p.PAYER_SHARE[persona] * np.where(occasional, 0.2, 1.0)
    location = _choice(p.LOCATION_SHARES, draw("location").random(size))
    time_zone = np.full(size, -1)
    offset = np.zeros(size, dtype=np.int64)
    if time_zones:
        time_zone = np.floor(2.0 * draw("time_zone").random(size)).astype(np.int64)
        offset = p.UTC_OFFSETS[location, time_zone]
    chance = np.minimum(0.03 * np.exp(0.7 * draw("payment_chance").standard_normal(size)), 0.4)
    return Population(
        founders=customers,
        days=days,
        seed=seed,
        signed_up=signed_up,
        persona=persona,
        birth_day=_birth_days(signed_up, draw("birth").random(size)),
        gender=_choice(p.GENDER_SHARES, draw("gender").random(size)),
        location=location,
        premium_from=_premium(signed_up, payer, draw("premium").random((size, 2))),
        is_bot=is_bot,
        is_fraud=is_fraud,
        rate=np.where(is_bot, p.BOT_RATE, rate),
        hazard=np.where(is_bot, 0.0, hazard),
        decay_days=low + (high - low) * draw("decay").random(size),
        sensitivity=p.RATE_DISCONTENT * np.where(occasional, p.OCCASIONAL_SENSITIVITY, 1.0),
        is_occasional=occasional & ~is_bot,
        minutes=np.where(is_bot, p.BOT_MINUTES, minutes),
        depth=depth,
        weekend=np.where(is_bot, 1.0, np.exp(0.35 * draw("weekend").standard_normal(size))),
        habit=_choice(_HABIT_SHARES, draw("habit").random(size)),
        device=_choice(p.DEVICE_SHARES, draw("device").random(size)),
        time_zone=time_zone,
        utc_offset=offset,
        community=community,
        sociability=_sociability(persona, occasional, draw("sociability").random(size)),
        taste=taste,
        favourite=favourite,
        payment_chance=np.where(is_fraud, 0.06, np.where(payer & ~is_bot, chance, 0.0)),
        payment_usd=12.0 * np.exp(0.9 * draw("payment_usd").standard_normal(size)),
    )


def hour_chances() -> np.ndarray:
    """Chance of each hour by habit, shape (habits, 24); rows sum to 1."""
    hours = np.arange(24) + 0.5
    chances = np.full((len(_HOUR_PEAKS), 24), 0.02)
    for row, peaks in enumerate(_HOUR_PEAKS):
        for centre, width, weight in peaks:
            away = np.abs(hours - centre)
            away = np.minimum(away, 24 - away)
            chances[row] += weight * np.exp(-0.5 * (away / width) ** 2)
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


def _sign_ups(customers: int, seed: int, days: int, horizon: int) -> np.ndarray:
    end = p.LEAD_DAYS + days
    new = round(customers * p.PERSONA_SHARES[p.NEW_USER])
    split = end - min(p.NEW_USER_DAYS, end / 2)
    draws = generator(seed, "population/sign_up").random(customers)
    settled = np.sort(draws[: customers - new]) * split
    recent = split + np.sort(draws[customers - new :]) * (end - split)
    rate = later_rate(customers, days)
    more = int(np.ceil(max(horizon + 1 - end, 0) * rate))
    jitter = generator(seed, "population/later_sign_up").random(more)
    later = end + (np.arange(more) + jitter) / rate
    return np.concatenate([settled, recent, later])


def _personas(customers: int, size: int, rng: np.random.Generator) -> np.ndarray:
    settled = customers - round(customers * p.PERSONA_SHARES[p.NEW_USER])
    persona = _choice(p.PERSONA_SHARES[: p.NEW_USER], rng.random(size))
    persona[settled:] = p.NEW_USER
    return persona


def _choice(shares: np.ndarray, draws: np.ndarray) -> np.ndarray:
    edges = np.cumsum(shares) / np.sum(shares)
    return np.searchsorted(edges[:-1], draws, side="right").astype(np.int8)


def _birth_days(signed_up: np.ndarray, draws: np.ndarray) -> np.ndarray:
    # Ages at sign-up: a mode in the late twenties and a long tail, 18 to 78. Counted back from the
    # sign-up, so nobody is under age.
    ages = np.interp(draws, [0, 0.2, 0.48, 0.7, 0.85, 1], [18, 25, 35, 45, 55, 78])
    born: np.ndarray = np.floor(signed_up - ages * 365.25).astype(np.int64)
    return born


def _premium(signed_up: np.ndarray, payer: np.ndarray, draws: np.ndarray) -> np.ndarray:
    at_once = payer & (draws[:, 0] < p.PREMIUM_AT_SIGN_UP)
    with np.errstate(divide="ignore"):
        waits = -np.log(draws[:, 1]) * np.where(payer, *PREMIUM_WAIT_DAYS)
    return np.where(at_once, signed_up, np.maximum(signed_up + 1.0 + waits, signed_up + 1.0))


def _communities(customers: int, size: int, rng: np.random.Generator) -> np.ndarray:
    # People come to the app with those they know, so a community shares its time of sign-up.
    spread = 0.03 * customers
    place = np.abs(np.arange(size) + spread * rng.standard_normal(size))
    place[:customers] = np.abs(customers - np.abs(customers - place[:customers]))
    communities = max(customers // p.COMMUNITY_SIZE, 1)
    community = np.floor(place / p.COMMUNITY_SIZE).astype(np.int64)
    community[:customers] = np.minimum(community[:customers], communities - 1)
    return community


def _tastes(
    seed: int, community: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    categories = category_tastes(seed)
    size = len(community)
    noise = rng.standard_normal((size, p.TASTE_DIMENSIONS), dtype=np.float32)
    shared = generator(seed, "population/community_taste")
    common = shared.standard_normal(
        (int(community.max(initial=0)) + 1, p.TASTE_DIMENSIONS), np.float32
    )
    taste = 0.75 * noise + 0.65 * common[community]
    favourite = np.argmax(taste @ categories.T, axis=1).astype(np.int8)
    return taste, favourite


def category_tastes(seed: int) -> np.ndarray:
    """Place of each category in the space of tastes, rows of unit length."""
    draws = generator(seed, "population/category_taste").standard_normal(
        (len(p.CATEGORIES), p.TASTE_DIMENSIONS), dtype=np.float32
    )
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    return draws


def _sociability(persona: np.ndarray, occasional: np.ndarray, draws: np.ndarray) -> np.ndarray:
    # Pareto with exponent 2.5 for the degrees, capped so that no hub knows half of a community.
    weight = np.minimum((1.0 - draws) ** (-1.0 / 1.5), 60.0)
    liveliness = np.array([1.5, 0.8, 0.9, 1.7, 0.7, 0.8])[persona]
    sociability: np.ndarray = weight * liveliness * np.where(occasional, p.OCCASIONAL_FRIENDS, 1.0)
    return sociability
