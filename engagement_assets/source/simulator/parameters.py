"""The constants of the simulated world.

Belongs here: every number that shapes the world and that more than one module reads, and the
numbers one would tune. Does not belong here: anything drawn, anything that depends on a seed.

Arrays are indexed by persona in the order of `PERSONAS` unless their comment says otherwise.
"""

import numpy as np

PERSONAS = (
    "power_user",
    "casual_browser",
    "gig_worker",
    "social_butterfly",
    "at_risk",
    "new_user",
)
NEW_USER = PERSONAS.index("new_user")
GIG_WORKER = PERSONAS.index("gig_worker")
# Of those who are not new users, who are the last 5 % to sign up.
PERSONA_SHARES = np.array([0.08, 0.42, 0.18, 0.20, 0.07, 0.05])
NEW_USER_DAYS = 60

# The world begins this many days before the first day that can be asked for.
LEAD_DAYS = 600
DAYS_PER_WEEK = 7
SECONDS_PER_DAY = 86_400.0

# Use: median sessions a day of a content customer, and its spread within the persona.
SESSION_RATE = np.array([2.4, 1.25, 1.3, 1.5, 1.1, 1.2])
SESSION_RATE_SIGMA = 0.25
# Some look in only now and then, for longer, read what they are sent, and go on doing so.
OCCASIONAL_SHARE = np.array([0.0, 0.2, 0.15, 0.12, 0.2, 0.2])
OCCASIONAL_RATE = 0.055
OCCASIONAL_RATE_SIGMA = 0.1
OCCASIONAL_HAZARD = 0.1
OCCASIONAL_LENGTH = 3.0
OCCASIONAL_OPENS = 2.2
OCCASIONAL_SENSITIVITY = 0.3
OCCASIONAL_FRIENDS = 0.1
DURATION_MINUTES = np.array([8.0, 7.0, 7.0, 8.0, 6.0, 7.0])
DURATION_SIGMA = 0.9
DEPTH_FACTORS = np.exp(0.35 * np.array([-1.4, -0.53, 0.0, 0.53, 1.4]))
INTERACTIONS_PER_SESSION = np.array([1.05, 0.82, 0.68, 1.14, 0.64, 0.82])
MESSAGES_PER_SESSION = np.array([0.365, 0.165, 0.235, 0.47, 0.15, 0.19])
POSTS_PER_SESSION = np.array([0.083, 0.035, 0.045, 0.098, 0.029, 0.037])
EVENTS_PER_SESSION = np.array([0.012, 0.005, 0.006, 0.015, 0.003, 0.006])

# Discontent: a weekly AR(1) around the persona's mean, of unit spread.
DISCONTENT_MEAN = np.array([-0.3, 0.0, 0.0, -0.2, 0.6, 0.1])
DISCONTENT_PERSISTENCE = 0.85
DISCONTENT_START = -0.3
RATE_DISCONTENT = 0.2
HAZARD_DISCONTENT = 0.9
# Chance a week that a customer with discontent 0 begins to leave.
LEAVING_HAZARD = np.array([0.015, 0.028, 0.022, 0.018, 0.04, 0.03])
LEAVING_DECAY_DAYS = (4.5, 7.0)
# After this many decay times a leaver is gone for good.
GONE_AFTER_DECAYS = 12.0
AWAY_CHANCE = 0.01
AWAY_FACTOR = 0.15

# Text: the mood is this minus the discontent.
MOOD = np.array([0.9, 0.6, 0.4, 1.0, 0.2, 0.6])
MOOD_DISCONTENT = 0.8

BOT_SHARE = 0.006
FRAUD_SHARE = 0.004
BOT_RATE = 6.0
BOT_MINUTES = 0.2
LATE_SHARE = 0.005

EXPERIMENT = "premium_upgrade"
EXPERIMENT_WINDOW = (0.625, 0.70)
EFFECT_FROM_AGE = np.array([18, 25, 35, 45, 55])
EFFECT_BY_AGE = np.array([0.22, 0.15, 0.08, 0.05, 0.02])
# Expected daily engagement that no customer goes beyond, treated or not.
ENGAGEMENT_CEILING = 0.97
MINUTES_SCALE = 30.0
ACTIONS_SCALE = 10.0

COMMUNITY_SIZE = 150
EDGES_PER_CUSTOMER = 10.5
FRIENDS_FOR_NEWCOMER = 4.0

TASTE_DIMENSIONS = 8
CATEGORIES = (
    "music",
    "sports",
    "food",
    "travel",
    "fashion",
    "technology",
    "gaming",
    "fitness",
    "art",
    "pets",
    "news",
    "finance",
)
LOCATIONS = (
    "north_america_east",
    "north_america_west",
    "latin_america",
    "western_europe",
    "northern_europe",
    "southern_europe",
    "eastern_europe",
    "middle_east",
    "africa",
    "south_asia",
    "east_asia",
    "oceania",
)
LOCATION_SHARES = np.array([16, 12, 8, 12, 6, 8, 7, 4, 5, 10, 8, 4]) / 100
# Two time zones of each location, and the hours by which their clocks are before UTC's; the world
# knows no summer time.
TIME_ZONES = (
    ("America/New_York", "America/Chicago"),
    ("America/Los_Angeles", "America/Denver"),
    ("America/Bogota", "America/Sao_Paulo"),
    ("Europe/Paris", "Europe/London"),
    ("Europe/Stockholm", "Europe/Helsinki"),
    ("Europe/Rome", "Europe/Athens"),
    ("Europe/Warsaw", "Europe/Bucharest"),
    ("Asia/Riyadh", "Asia/Dubai"),
    ("Africa/Lagos", "Africa/Nairobi"),
    ("Asia/Karachi", "Asia/Dhaka"),
    ("Asia/Shanghai", "Asia/Tokyo"),
    ("Australia/Sydney", "Pacific/Auckland"),
)
UTC_OFFSETS = np.array(
    [
        [-5, -6],
        [-8, -7],
        [-5, -3],
        [1, 0],
        [1, 2],
        [1, 2],
        [1, 2],
        [3, 4],
        [1, 3],
        [5, 6],
        [8, 9],
        [10, 12],
    ]
)
GENDER_SHARES = np.array([0.47, 0.45, 0.04, 0.04])
DEVICES = ("mobile", "desktop", "tablet")
DEVICE_SHARES = np.array([0.68, 0.24, 0.08])

PAYER_SHARE = np.array([0.30, 0.09, 0.24, 0.16, 0.08, 0.10])
PREMIUM_AT_SIGN_UP = 0.35
PREMIUM_PRICE_USD = 9.99
CONSENT_SHARES = {
    "analytics": 0.97,
    "personalisation": 0.90,
    "sentiment": 0.18,
    "notifications": 0.85,
    "federated": 0.40,
}
WITHDRAWAL_CHANCE = 0.03
NOTIFICATIONS_PER_DAY = 0.125
MESSAGE_TEXT_SHARE = 0.01
ACTION_CHANCE = 0.02
