"""The treatment effects' declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.features.labels import LABELS
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import ModelSpec, reason_columns
from resources.tables import Column

ASSIGNMENTS = "source/experiment_assignments"
WINDOW_DAYS = LABELS["engagement_score"].window_days
# How a prediction says where it comes from.
EXPERIMENT = "from an experiment"
GAINS, HARMED, UNCLEAR = "gains", "is harmed", "cannot be told"

SPEC = ModelSpec(
    name="treatment_effects",
    subject="effects of a treatment on engagement",
    code_version="1",
    implementation="engagement_assets.models.treatment_effects.adapter:TreatmentEffectsAdapter",
    kinds=frozenset({"scikitlearn"}),
    learns_from=(CUSTOMER_FEATURES, ASSIGNMENTS, *LABELS["engagement_score"].sources),
    predicts_from=(CUSTOMER_FEATURES,),
    required=(ASSIGNMENTS, *LABELS["engagement_score"].required_tables),
    window_days=WINDOW_DAYS,
    # what was known before each assignment is wanted, whichever day that was
    at_hand=True,
    every_snapshot=True,
    # predictions say what a treatment would do; who is treated is judged where it is decided
    without=frozenset({"fairness"}),
    fairness=None,
    additive=False,
    gates=(
        QualityGate(
            check="no_worse_than_constant",
            metric="gain_over_constant",
            words="squared distance to the doubly robust scores less than the constant effect's by",
            description="On customers who were not learnt from, the effects are no further from "
            "what is seen than one effect for everybody.",
            at_least=0.0,
        ),
        QualityGate(
            check="groups_are_right",
            metric="groups_misjudged",
            words="groups whose effect is misjudged beyond chance",
            description="In no group by gender, age band and location do predicted effects of "
            "customers who were not learnt from differ from what is seen beyond chance.",
            at_most=0.0,
            exact=True,
        ),
    ),
    comparison_metric="squared distance to the doubly robust scores",
    columns=(
        Column(
            "effect",
            "float64",
            f"What the treatment adds to mean daily engagement of the {WINDOW_DAYS} days after it",
            "score units",
            nullable=False,
        ),
        Column("effect_low", "float64", "Lower end of its 95 % interval", "score units"),
        Column("effect_high", "float64", "Upper end of its 95 % interval", "score units"),
        Column(
            "verdict",
            "string",
            "What the interval says",
            nullable=False,
            allowed=(GAINS, HARMED, UNCLEAR),
        ),
        Column("harmed_group", "string", "Group of the customer that the treatment harms, if any"),
        Column("experiment", "string", "Experiment that it was learnt from", nullable=False),
        Column(
            "origin",
            "string",
            f"`{EXPERIMENT}`, or `not from an experiment`",
            nullable=False,
        ),
        *reason_columns("score units"),
    ),
    score="effect",
    parameters=("treatment_experiment", "targeting_cost"),
    texts={
        "model": "Candidate that says what a treatment does to each customer's engagement: S-, T-, "
        "X-, DR- or R-learner or a causal forest, where customers set aside show that effects "
        "differ as it says, else one effect for everybody. Learnt from an experiment, with the "
        "features of the last snapshot before each assignment.",
        "evaluation": "The mean effect, effects by age and other groups with intervals, who is "
        "harmed, tests of heterogeneity, what targeting by effect would bring, and campaigns that "
        "are not from an experiment with what speaks against them.",
        "champion": "The effects that are predicted. It moves only when the candidate passes the "
        "checks and the present champion is not nearer to what is seen on the candidate's test "
        "customers.",
        "predictions": "What the treatment would do to each customer, with interval and reasons.",
        "explanations": "What moves the effects: SHAP values of trees that retell them, summed up "
        "over all customers.",
    },
    purpose="Says for whom a treatment is worth its cost and whom it harms. It must not be used to "
    "set prices by age or to withhold what everybody is due.",
    limits=(
        "It holds for customers like those of the experiment, and for the days after it.",
        "An interval of one customer is of the sampling error; what a learner smooths away is in "
        "none. Groups' intervals are exact, and all of a table hold together.",
        "Without known propensities an effect is not from an experiment, and an unseen cause may "
        "explain it.",
        "Age is among the features, since the product asks for effects by age.",
        "Reasons are exact for trees that retell the effects; how well they do is said.",
    ),
)
