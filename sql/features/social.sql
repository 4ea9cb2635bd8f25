-- Each customer's ties and exchanges with others. A connection counts for both sides, once for
-- each pair whoever asked; its age is that of the pair's first row. Reactions are likes and
-- shares; comments stand apart. What customers do to their own posts is given, not received.
-- Network scores come from `network.metrics` of :snapshot_date and are null until it is there.
WITH
known AS (
  SELECT
    EXISTS (SELECT 1 FROM shared.known_connections) AS connections,
    EXISTS (SELECT 1 FROM shared.known_interactions) AS interactions,
    EXISTS (SELECT 1 FROM shared.known_posts) AS posts
),
connections AS (
  SELECT customer_id, other_customer_id, occurred_at
  FROM shared.known_connections
  WHERE customer_id <> other_customer_id
),
pairs AS (
  SELECT
    customer_id,
    other_id,
    MIN(occurred_at) AS connected_at
  FROM (
    SELECT customer_id, other_customer_id AS other_id, occurred_at
    FROM connections
    UNION ALL
    SELECT other_customer_id, customer_id, occurred_at
    FROM connections
  ) AS both_sides
  GROUP BY customer_id, other_id
),
ties AS (
  SELECT
    customer_id,
    COUNT(*) AS connection_count,
    COUNT(*) FILTER (
      WHERE connected_at >= CAST(:snapshot_date AS TIMESTAMP) - INTERVAL 29 DAY
    ) AS new_connections_month
  FROM pairs
  GROUP BY customer_id
),
interactions AS (
  SELECT customer_id, post_id, kind
  FROM shared.month_interactions
  WHERE kind IN ('like', 'share', 'comment')
),
given AS (
  SELECT
    customer_id,
    COUNT(*) FILTER (WHERE kind IN ('like', 'share')) AS reactions,
    COUNT(*) FILTER (WHERE kind = 'comment') AS comments
  FROM interactions
  GROUP BY customer_id
),
received AS (
  SELECT
    posts.customer_id,
    COUNT(*) FILTER (WHERE interactions.kind IN ('like', 'share')) AS reactions,
    COUNT(*) FILTER (WHERE interactions.kind = 'comment') AS comments
  FROM interactions
  INNER JOIN shared.known_posts AS posts ON posts.post_id = interactions.post_id
  WHERE posts.customer_id <> interactions.customer_id
  GROUP BY posts.customer_id
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  CASE WHEN known.connections THEN COALESCE(ties.connection_count, 0) END AS connection_count,
  CASE
    WHEN known.connections THEN COALESCE(ties.new_connections_month, 0)
  END AS new_connections_month,
  CASE WHEN known.interactions THEN COALESCE(given.reactions, 0) END AS reactions_given_month,
  CASE
    WHEN known.interactions AND known.posts THEN COALESCE(received.reactions, 0)
  END AS reactions_received_month,
  CASE WHEN known.interactions THEN COALESCE(given.comments, 0) END AS comments_written_month,
  CASE
    WHEN known.interactions AND known.posts THEN COALESCE(received.comments, 0)
  END AS comments_received_month,
  metrics.influence_score,
  metrics.betweenness_centrality
FROM shared.known_customers AS customers
CROSS JOIN known
LEFT JOIN ties ON ties.customer_id = customers.customer_id
LEFT JOIN given ON given.customer_id = customers.customer_id
LEFT JOIN received ON received.customer_id = customers.customer_id
LEFT JOIN network.metrics AS metrics
  ON metrics.customer_id = customers.customer_id AND metrics.day = :snapshot_date
ORDER BY customers.customer_id
