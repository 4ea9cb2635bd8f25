"""The recommender's declaration.

Belongs here: names, columns, limits and texts. Does not belong here: what it does (`adapter.py`).
"""

from engagement_assets.features.catalogue import CUSTOMER_FEATURES
from engagement_assets.lifecycle.gates import QualityGate
from engagement_assets.lifecycle.spec import FairnessSpec, ModelSpec, Unified
from resources.tables import Column

ITEMS_SHOWN = 50
LEAST_CATEGORIES = 3
# How far the winner may lie below plain popularity on the test window, in NDCG: what chance gives.
POPULARITY_TOLERANCE = -0.01

SPEC = ModelSpec(
    name="recommendation",
    subject="recommended posts",
    code_version="4",
    implementation="engagement_assets.models.recommendation.adapter:RecommendationAdapter",
    online=False,
    parameters=("recommender", "recommendation_history", "recommendation_item_days"),
    kinds=frozenset({"pytorch", "scikitlearn"}),
    learns_from=("source/interactions", "source/posts", "source/connections", CUSTOMER_FEATURES),
    predicts_from=("source/interactions", "source/posts", "source/connections", CUSTOMER_FEATURES),
    required=("source/interactions",),
    # the last day is the test window; what is learnt lies before it
    window_days=1,
    snapshots=1,
    reads_snapshots=False,
    gates=(
        QualityGate(
            check="quality_floor",
            metric="lead_over_popularity",
            words="NDCG@10 above popularity",
            description="On days that were not learnt from, NDCG@10 is not below that of showing "
            "everybody what is popular.",
            at_least=POPULARITY_TOLERANCE,
        ),
        QualityGate(
            check="category_rule",
            metric="lists_short_of_categories",
            words="share of lists short of categories",
            description=f"Every list has at least {LEAST_CATEGORIES} categories, or all there are.",
            at_most=0.0,
            exact=True,
        ),
    ),
    comparison_metric="NDCG@10",
    fairness=FairnessSpec(
        rule="No group of customers gets lists of less than 80 % of the quality of the group "
        "served best, and no group of authors less than 80 % of the exposure that its attention "
        "is due, beyond chance.",
        selection="benefit",
        mitigations=("exposure",),
        words={"ndcg": "NDCG"},
    ),
    columns=(
        Column(
            "items",
            "string",
            nullable=False,
            meaning="Posts to show, the best first (JSON list of ids)",
        ),
        Column(
            "items_shown",
            "int64",
            nullable=False,
            meaning="Length of the list",
            minimum=0,
            maximum=ITEMS_SHOWN,
        ),
        Column("categories_shown", "int64", nullable=False, meaning="Categories in the list"),
        Column("top_score", "float64", nullable=False, meaning="Score of the best post"),
        Column(
            "source",
            "string",
            nullable=False,
            meaning="What brought most of them in: model, content, segment popularity, popularity",
        ),
    ),
    unified=(
        Unified("items", "recommended_items"),
        Unified("source", "recommendation_source"),
    ),
    score="top_score",
    texts={
        "model": "Candidate recommender: the best on a validation window of neural collaborative "
        "filtering with content, a hybrid of tastes, recency and acquaintance, EASE, ALS and "
        "popularity.",
        "evaluation": "All recommenders on a later window that none has seen: NDCG, precision and "
        "recall at 10 of all candidates, coverage, categories, novelty.",
        "fairness": "Quality of lists by customers' gender, age band and location, and exposure of "
        "authors by theirs, with the 80 % rule.",
        "champion": "The recommender that makes the lists. It moves only when the candidate passes "
        "the blocking checks and does not lose to the present champion's method on the same days.",
        "predictions": f"The {ITEMS_SHOWN} posts to show to every customer, seen ones left out, at "
        f"least {LEAST_CATEGORIES} categories in each list; new customers get one too.",
        "explanations": "What brought the recommended posts in, how many categories lists have, "
        "and how much of what could be shown is shown.",
    },
    purpose="Chooses posts that a customer may want to see. It must not be used to hide posts of "
    "single people, nor to show what a customer did not agree to be shown.",
    limits=(
        "It foresees what customers turn to, which is not all that is good for them.",
        "Posts published after the lists are made are not in them until the next day.",
        "Customers' own past is learnt from; what is measured is their future.",
    ),
    additive=False,
    memory_mib=6_144,
)
