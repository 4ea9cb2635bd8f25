"""Schemas of the signal tables: what sentiment and the network owe features and readers.

Belongs here: columns. Does not belong here: how a signal is learnt.
"""

from engagement_assets.learning.text.labels import EMOTIONS, SENTIMENTS
from resources.schema import Column, TableSchema

SENTIMENT_SCORES = "sentiment/scores"
SENTIMENT_ALERTS = "sentiment/alerts"
CUSTOMER_SENTIMENT = "sentiment/customer"
NETWORK_METRICS = "network/metrics"
INFLUENCERS = "network/influencers"
EMBEDDINGS = "network/embeddings"

_CUSTOMER = Column("customer_id", "string", nullable=False, description="The customer")
_TEXT_COLUMNS = (
    Column(
        "text_id",
        "string",
        nullable=False,
        description="The text: its source table and the key of its row there",
    ),
    Column("source_table", "string", nullable=False, description="posts, interactions or messages"),
    _CUSTOMER,
    Column("occurred_at", "timestamp", nullable=False, description="When it was written (UTC)"),
)
_SCORE = Column(
    "score",
    "float64",
    description="Probability of positive minus that of negative (-1 to 1); null where the text "
    "says nothing that the model can read",
)
_MODEL_VERSION = Column(
    "model_version", "string", nullable=False, description="The sentiment model that scored it"
)

SENTIMENT_SCORES_SCHEMA = TableSchema(
    (
        *_TEXT_COLUMNS,
        _SCORE,
        *(
            Column(f"p_{name}", "float64", description=f"Probability that the text is {name} (0-1)")
            for name in SENTIMENTS
        ),
        Column("emotion", "string", description="The likeliest of " + ", ".join(EMOTIONS)),
        *(
            Column(f"p_{name}", "float64", description=f"Probability of {name} (0-1)")
            for name in EMOTIONS
        ),
        _MODEL_VERSION,
    )
)
SENTIMENT_ALERTS_SCHEMA = TableSchema((*_TEXT_COLUMNS, _SCORE, _MODEL_VERSION))
CUSTOMER_SENTIMENT_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        Column(
            "avg_sentiment_score",
            "float64",
            description="Mean score of what the customer wrote in the window that ends with the "
            "partition's day (-1 to 1)",
        ),
        Column(
            "sentiment_trend_month",
            "float64",
            description="Slope of the scores over the window, as change in 30 days; null with "
            "texts of one day alone",
        ),
        Column(
            "negative_share",
            "float64",
            nullable=False,
            description="Share of the texts that are likeliest negative (0-1)",
        ),
        Column("texts_scored", "int64", nullable=False, description="Texts in the window"),
        Column(
            "last_text_at", "timestamp", nullable=False, description="When the last was written"
        ),
    )
)


def _unit(name: str, description: str) -> Column:
    return Column(name, "float64", nullable=False, description=description)


def _count(name: str, description: str) -> Column:
    return Column(name, "int64", nullable=False, description=description)


NETWORK_METRICS_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        _unit("influence_score", "PageRank divided by the largest (0-1)"),
        _unit("betweenness_centrality", "Share of shortest paths through the customer (0-1)"),
        _unit("eigenvector_centrality", "Eigenvector centrality divided by the largest (0-1)"),
        _unit("pagerank", "PageRank; over all customers it sums to 1"),
        _count("degree", "Connections"),
        _count("core_number", "Largest k such that the customer is in the k-core"),
        _unit("clustering", "Share of pairs of connections who are connected themselves (0-1)"),
        _count("community", "Louvain community; a label stays with the community over the days"),
    )
)
INFLUENCER_REASONS = 3
INFLUENCERS_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        _count("rank", "1 for the largest influence score"),
        _unit("influence_score", "PageRank divided by the largest (0-1)"),
        *(
            column
            for number in range(1, INFLUENCER_REASONS + 1)
            for column in (
                Column(
                    f"reason_{number}_metric", "string", description=f"Reason {number}: the metric"
                ),
                Column(f"reason_{number}_value", "float64", description="The customer's value"),
                Column(f"reason_{number}_typical", "float64", description="The median of all"),
            )
        ),
    )
)

EMBEDDING_COLUMNS = tuple(f"e{number:02d}" for number in range(64))
EMBEDDINGS_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        *(
            Column(name, "float32", nullable=False, description="One of the 64 numbers")
            for name in EMBEDDING_COLUMNS
        ),
    )
)
SEEDS_SCHEMA = TableSchema(
    (
        _count("rank", "The order in which they were chosen"),
        _CUSTOMER,
        _unit("expected_gain", "People that this one adds to those before, in expectation"),
    )
)

SIGNAL_SCHEMAS: dict[str, TableSchema] = {
    SENTIMENT_SCORES: SENTIMENT_SCORES_SCHEMA,
    SENTIMENT_ALERTS: SENTIMENT_ALERTS_SCHEMA,
    CUSTOMER_SENTIMENT: CUSTOMER_SENTIMENT_SCHEMA,
    NETWORK_METRICS: NETWORK_METRICS_SCHEMA,
    INFLUENCERS: INFLUENCERS_SCHEMA,
}
"""Schema of each daily signal table by its lake name; `day` is the partition column."""
