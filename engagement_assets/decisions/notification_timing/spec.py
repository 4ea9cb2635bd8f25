"""The declaration of notification timing.

Belongs here: actions, reward, gates and texts. Does not belong here: how it is learnt (`policy.py`)
and what it looks at (`contexts.py`).
"""

from engagement_assets.lifecycle.gates import QualityGate, policy_gates
from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, FairnessSpec, Reward
from resources.tables import Column

DELAYS = 10
# Of what is chosen, this share is any allowed hour by lot, so that other hours stay known.
EXPLORED = 0.15
REWARD_ENGAGED, REWARD_LOST = 1.0, -0.5
OVER_TIME = "gain_over_time"


def send_name(hours: int) -> str:
    """Return the name of sending after so many hours."""
    if hours == 0:
        return "send now"
    return f"send after {hours} hour{'s' if hours > 1 else ''}"


SENDS = tuple(
    Action(name=send_name(hours), channel="notification", consent="notifications")
    for hours in range(DELAYS)
)

SPEC = DecisionSpec(
    name="notification_timing",
    subject="notification timing",
    code_version="2",
    implementation="engagement_assets.decisions.notification_timing.policy:NotificationTiming",
    baseline="engagement_assets.decisions.notification_timing.policy:SendNow",
    kinds=frozenset({"pytorch"}),
    actions=(*SENDS, NO_ACTION),
    reward=Reward(table="source/notifications", column="opened_at", window_days=1),
    window_days=60,
    gates=(
        *policy_gates(least_chance=0.01),
        QualityGate(
            check="better_over_time",
            metric=OVER_TIME,
            words="discounted reward of 60 days above the rule's, in a model of the answers",
            description="In the model of the answers of customers whom it did not learn from, the "
            "policy brings more over time than the rule, with its whole 95 % interval.",
            at_least=0.0,
            certain=True,
        ),
    ),
    comparison_metric="reward a notification",
    fairness=FairnessSpec(
        rule="Nobody is notified at a chosen hour less often for their age, gender or location.",
        selection="benefit",
        selected_are="those who are notified",
    ),
    learns_from=("source/notifications", "source/sessions", "source/customers"),
    predicts_from=(
        "source/notifications",
        "source/sessions",
        "source/customers",
        "source/consents",
        "source/experiment_assignments",
    ),
    required=("source/notifications",),
    priority=60,
    hour="send_hour",
    columns=(
        Column(
            "send_hour",
            "int64",
            "Hour of the customer's clock, on the day after, at which it is sent; null where not",
            "hours",
            minimum=0,
            maximum=23,
        ),
    ),
    online=False,
    unscored="Their time zone is not known, so that no hour of their clock is.",
    parameters=(
        "quiet_from",
        "quiet_to",
        "contacts_a_day",
        "contacts_a_week",
        "contacts_a_channel_week",
        "holdout_experiment",
        "timing_updates",
    ),
    texts={
        "policy": "When to notify: learnt in a model of how customers answer, which is fitted on "
        "notifications whose delay was drawn by lot. Of the rules, a contextual bandit and a deep "
        "Q-network, the simplest that is as good.",
        "evaluation": "The policy against sending at once, by the log; the model of the answers "
        "and its quality; every policy over 60 days in it.",
        "fairness": "Who is notified, by age, gender and location.",
        "champion": "The policy that chooses the hour.",
        "choices": "When each customer is notified on the day after, or that they are not.",
    },
    purpose="Sends what a customer agreed to at an hour at which they like to read it, and seldom "
    "enough. It must not be used to press anybody: moods, sentiment and alerts feed nothing.",
    limits=(
        "How much rest is worth is known from a model of the answers alone: logs have no chance of "
        "sending nothing. More often than almost all of the log nobody is notified.",
        "An answer is an opening within the hour; what it leads to is not in it.",
        "An hour's habit is of the sessions of 56 days; a shift of the clock moves it for as long.",
    ),
)
