"""Schemas of the signal tables that features read.

Belongs here: the columns that sentiment and network tables owe the features, so that features can
be made before a signal is. Does not belong here: how a signal is learnt.
"""

from resources.schema import Column, TableSchema

CUSTOMER_SENTIMENT = "sentiment/customer"
NETWORK_METRICS = "network/metrics"

_CUSTOMER = Column("customer_id", "string", nullable=False, description="The customer")

CUSTOMER_SENTIMENT_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        Column(
            "avg_sentiment_score",
            "float64",
            description="Mean sentiment of what the customer wrote, as known by the partition's "
            "day (-1 to 1); null where nothing was scored",
        ),
    )
)
NETWORK_METRICS_SCHEMA = TableSchema(
    (
        _CUSTOMER,
        Column(
            "influence_score",
            "float64",
            description="PageRank in the graph known by the partition's day, scaled to 0-1",
        ),
        Column(
            "betweenness_centrality",
            "float64",
            description="Share of shortest paths that pass through the customer (0-1)",
        ),
        Column(
            "eigenvector_centrality",
            "float64",
            description="Eigenvector centrality (0-1)",
        ),
    )
)

SIGNAL_SCHEMAS: dict[str, TableSchema] = {
    CUSTOMER_SENTIMENT: CUSTOMER_SENTIMENT_SCHEMA,
    NETWORK_METRICS: NETWORK_METRICS_SCHEMA,
}
"""Schema of each signal table by its lake name; `day` is the partition column."""
