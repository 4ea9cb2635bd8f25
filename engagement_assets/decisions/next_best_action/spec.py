"""The next best action's declaration.

Belongs here: actions, reward, gates and texts. Does not belong here: what chooses (`policy.py`) and
the log that it learns from (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.lifecycle.gates import policy_gates
from engagement_assets.lifecycle.spec import NO_ACTION, Action, DecisionSpec, FairnessSpec, Reward
from resources.tables import Column

LOG = "source/action_log"
SESSIONS = "source/sessions"
# Floor under each action's chance; seven actions leave 93 % to what is thought best.
LEAST_CHANCE = 0.01
# What each is called where a customer sees it.
WORDS = {
    "post_content": "Share something with the others",
    "browse_feed": "See what is new in your feed",
    "send_message": "Write to somebody you know",
    "search_gig": "Browse gigs in your area",
    "update_profile": "Bring your profile up to date",
    "invite_friend": "Invite a friend",
    NO_ACTION.name: "Nothing now",
}


def _suggestion(name: str) -> Action:
    return Action(name=name, channel="in_app", consent="notifications", cooldown_days=1)


SPEC = DecisionSpec(
    name="next_best_action",
    subject="next best actions",
    code_version="2",
    implementation="engagement_assets.decisions.next_best_action.adapter:NextBestAction",
    baseline="engagement_assets.decisions.next_best_action.policy:SuggestionRule",
    kinds=frozenset({"python"}),
    actions=tuple(NO_ACTION if name == NO_ACTION.name else _suggestion(name) for name in WORDS),
    reward=Reward(table=SESSIONS, column="days with a session", window_days=3),
    # of a log that is judged on, and as much that is learnt from before it
    window_days=60,
    cadence="weekly",
    learns_from=(LOG, SESSIONS),
    predicts_from=(CUSTOMER_FEATURES,),
    required=(LOG,),
    gates=policy_gates(least_chance=LEAST_CHANCE),
    comparison_metric="share of the three days after with a visit",
    fairness=FairnessSpec(
        rule="No group by gender, age band or location is offered anything less than four fifths "
        "as often as the others.",
        selection="benefit",
        selected_are="those who are offered something",
        words={"selected": "chance of an offer"},
    ),
    columns=(
        Column(
            "added",
            "float64",
            "What the action is expected to add, over doing nothing, to the share of the three "
            "days after with a visit; null where a rule decides",
            "share",
            minimum=-1,
            maximum=1,
        ),
    ),
    priority=60,
    texts={
        "policy": "Candidate that draws a suggestion by what each would add over doing nothing: "
        "contextual Thompson sampling, learnt from `action_log` with its propensities.",
        "evaluation": "What the candidate would bring beside the rule, doubly robust, on later "
        "decisions of other customers.",
        "fairness": "How often each group by gender, age band and location is offered something, "
        "and what.",
        "champion": "The policy that chooses; the rule where none has passed.",
        "choices": "What is suggested to each customer next, drawn with the propensity that stands "
        "beside it.",
    },
    purpose="Suggests what makes a customer come back. It must not be used to withhold anything, "
    "nor to press those who are unwell: moods and alerts feed nothing.",
    limits=(
        "The reward is a visit in the three days after; what comes later is not counted.",
        "A day's choices are made for the usual time of day and device; an application that knows "
        "better asks online.",
    ),
)
