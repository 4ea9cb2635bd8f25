"""The signal tables: what sentiment and the network give to features and readers.

Belongs here: their declarations. Does not belong here: how a signal is learnt.
"""

from engagement_assets.learning.text.labels import EMOTIONS, SENTIMENTS
from engagement_assets.source.quarantine import SOURCE_TABLES
from resources.tables import Column, Table

OWNER = "team:data-science"


def _share(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, "float64", meaning, "0-1", nullable=nullable, minimum=0, maximum=1)


def _score(name: str, meaning: str) -> Column:
    return Column(name, "float64", meaning, "-1 to 1", minimum=-1, maximum=1)


def _number(name: str, meaning: str) -> Column:
    return Column(name, "float64", meaning, nullable=False)


def _count(name: str, meaning: str) -> Column:
    return Column(name, "int64", meaning, nullable=False)


def _id(name: str, meaning: str) -> Column:
    return Column(name, "string", meaning, nullable=False)


def _customer(meaning: str = "The customer") -> Column:
    return Column("customer_id", "string", meaning, nullable=False, names_customer=True)


def _when(name: str, meaning: str) -> Column:
    return Column(name, "timestamp", meaning, nullable=False)


_TEXT_COLUMNS = (
    _id("text_id", "The text: its source table and the key of its row there"),
    _id("source_table", "posts, interactions or messages"),
    _customer(),
    _when("occurred_at", "When it was written (UTC)"),
)
_TEXT_SCORE = _score(
    "score",
    "From negative to positive: of texts kept aside that scored below -0.5 four in five were "
    "negative; null where the text says nothing that the model can read",
)
_TEXT_MODEL = _id("model_version", "The sentiment model that scored it")

SENTIMENT_SCORES = Table(
    "sentiment/scores",
    (
        *_TEXT_COLUMNS,
        _TEXT_SCORE,
        *(
            _share(f"p_{name}", f"Probability that the text is {name}", nullable=True)
            for name in SENTIMENTS
        ),
        Column("emotion", "string", "The likeliest of " + ", ".join(EMOTIONS)),
        *(_share(f"p_{name}", f"Probability of {name}", nullable=True) for name in EMOTIONS),
        _TEXT_MODEL,
    ),
    description="Sentiment and emotion of every new text (posts, comments, messages) of customers "
    "who agreed to it. It holds no text. A withdrawn consent stops it from the next run on.",
    unique=("text_id",),
    owner=OWNER,
    steady=True,
)
SENTIMENT_ALERTS = Table(
    "sentiment/alerts",
    (
        *_TEXT_COLUMNS,
        _TEXT_SCORE,
        Column(
            "alerted_at",
            "timestamp",
            "When support was told of it as it was written (UTC); null where it was first seen by "
            "the daily run, which tells nobody",
        ),
        _TEXT_MODEL,
    ),
    description="Texts that score below -0.5, for customer support: the text's id, never the text. "
    "For no other use: nobody is targeted because they are sad.",
    unique=("text_id",),
    owner=OWNER,
)
CUSTOMER_SENTIMENT = Table(
    "sentiment/customer",
    (
        _customer(),
        _score(
            "avg_sentiment_score",
            "Mean score of what the customer wrote in the window that ends with the partition's "
            "day",
        ),
        Column(
            "sentiment_trend_month",
            "float64",
            "Slope of the scores over the window, as change in 30 days; null with texts of one day "
            "alone",
        ),
        _share("negative_share", "Share of the texts that are likeliest negative"),
        _count("texts_scored", "Texts in the window"),
        _when("last_text_at", "When the last was written"),
    ),
    description="Mean, trend and share of negative texts of every customer who agreed to it and "
    "wrote something in the window (90 days unless set otherwise).",
    unique=("customer_id",),
    owner=OWNER,
)

_INFLUENCE = _share("influence_score", "PageRank divided by the largest")
NETWORK_METRICS = Table(
    "network/metrics",
    (
        _customer(),
        _INFLUENCE,
        _share("betweenness_centrality", "Share of shortest paths through the customer"),
        _share("eigenvector_centrality", "Eigenvector centrality divided by the largest"),
        _share("pagerank", "PageRank; over all customers it sums to 1"),
        _count("degree", "Connections"),
        _count("core_number", "Largest k such that the customer is in the k-core"),
        _share("clustering", "Share of pairs of connections who are connected themselves"),
        _count("community", "Louvain community; a label stays with the community over the days"),
    ),
    description="Every customer's place in the graph of connections known by the end of the day: "
    "PageRank, betweenness (sampled), eigenvector centrality, degree, core, clustering, community. "
    "A customer without connections is there too.",
    unique=("customer_id",),
    owner=OWNER,
)
INFLUENCER_REASONS = 3
INFLUENCERS = Table(
    "network/influencers",
    (
        _customer(),
        _count("rank", "1 for the largest influence score"),
        _INFLUENCE,
        *(
            column
            for number in range(1, INFLUENCER_REASONS + 1)
            for column in (
                Column(f"reason_{number}_metric", "string", f"Reason {number}: the metric"),
                Column(f"reason_{number}_value", "float64", "The customer's value"),
                Column(f"reason_{number}_typical", "float64", "The median of all"),
            )
        ),
    ),
    description="The top 1 % by influence, each with the metrics in which they stand out.",
    unique=("rank",),
    owner=OWNER,
)

EMBEDDING_COLUMNS = tuple(f"e{number:02d}" for number in range(64))
EMBEDDINGS = Table(
    "network/embeddings",
    (
        _customer(),
        *(
            Column(name, "float32", "One of the 64 numbers", nullable=False)
            for name in EMBEDDING_COLUMNS
        ),
    ),
    description="Every customer's place in the graph as 64 numbers (node2vec): those whom walks "
    "visit together lie close. Zero for a customer without connections.",
    unique=("customer_id",),
    owner=OWNER,
)
SEEDS = Table(
    "network/seeds",
    (
        _count("rank", "The order in which they were chosen"),
        _customer(),
        _number("expected_gain", "People that this one adds to those before, in expectation"),
    ),
    description="Whom to reach so that most are reached, in the order they were chosen.",
    unique=("rank",),
    owner=OWNER,
)
SIGNAL_TABLES = (
    SENTIMENT_SCORES,
    SENTIMENT_ALERTS,
    CUSTOMER_SENTIMENT,
    NETWORK_METRICS,
    INFLUENCERS,
    EMBEDDINGS,
    SEEDS,
)
# what an engine of this floor knows: a query may name a table before it has a partition
KNOWN_TABLES: tuple[Table, ...] = (*SOURCE_TABLES, *SIGNAL_TABLES)
