"""The table of counterfactuals of customers at risk.

Belongs here: names and columns. Does not belong here: what makes it (`assets.py`).
"""

from engagement_assets.features.catalogue import KEY_COLUMNS
from engagement_assets.learning.counterfactuals import MOST_CHANGES
from resources.tables import Column, Table

ADVICE = Table(
    "counterfactuals/advice",
    (
        *KEY_COLUMNS,
        Column("model", "string", "The model whose score it is about", nullable=False),
        Column("goal", "float64", "The score to be reached", nullable=False),
        Column("predicted", "float64", "What the model predicts", nullable=False),
        Column(
            "changes",
            "int64",
            "How many things change; 0 where no plausible change reaches the goal",
            nullable=False,
            minimum=0,
            maximum=MOST_CHANGES,
        ),
        *(
            Column(f"change_{n}_{part}", kind, f"Change {n}: {words}")
            for n in range(1, MOST_CHANGES + 1)
            for part, kind, words in (
                ("feature", "string", "the feature"),
                ("before", "float64", "its value"),
                ("after", "float64", "its value after the change"),
            )
        ),
        Column("predicted_after", "float64", "What the model would predict then"),
        Column("change_low", "float64", "Least change of the prediction over the refits"),
        Column("change_high", "float64", "Greatest change of the prediction over the refits"),
        Column("refits", "int64", "Models learnt from resamples", "models", nullable=False),
        Column("words", "string", "The changes and what the model would predict", nullable=False),
        Column("measured", "string", "What experiments measured of the same behaviour, or null"),
        Column("model_version", "string", "Champion that predicts", nullable=False),
    ),
    description="What customers at risk could do differently so that a model would predict "
    "otherwise: at most three plausible changes, with the model's uncertainty. It is what the "
    "model would predict, not what would happen.",
    unique=("customer_id", "model"),
    owner="team:data-science",
)
TABLES = (ADVICE,)
