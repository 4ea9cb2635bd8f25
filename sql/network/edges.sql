-- The connections of the graph as of :snapshot_date; whoever asked, a pair is one edge. It weighs
-- 1 + :message_weight x messages + :reaction_weight x reactions (likes, shares, comments) between
-- the two in the month, in either direction; with both weights 0 every edge weighs 1.
WITH
pairs AS (
  SELECT DISTINCT
    CASE WHEN customer_id < other_customer_id THEN customer_id ELSE other_customer_id END AS source,
    CASE WHEN customer_id < other_customer_id THEN other_customer_id ELSE customer_id END AS target
  FROM shared.known_connections
),
messages AS (
  SELECT
    CASE WHEN customer_id < recipient_id THEN customer_id ELSE recipient_id END AS source,
    CASE WHEN customer_id < recipient_id THEN recipient_id ELSE customer_id END AS target,
    COUNT(*) AS messages
  FROM shared.month_messages
  WHERE :message_weight > 0
  GROUP BY 1, 2
),
reactions AS (
  SELECT
    CASE
      WHEN interactions.customer_id < posts.customer_id THEN interactions.customer_id
      ELSE posts.customer_id
    END AS source,
    CASE
      WHEN interactions.customer_id < posts.customer_id THEN posts.customer_id
      ELSE interactions.customer_id
    END AS target,
    COUNT(*) AS reactions
  FROM shared.month_interactions AS interactions
  INNER JOIN shared.known_posts AS posts ON posts.post_id = interactions.post_id
  WHERE :reaction_weight > 0
    AND interactions.kind IN ('like', 'share', 'comment')
  GROUP BY 1, 2
)
SELECT
  pairs.source,
  pairs.target,
  1
  + CAST(:message_weight AS DOUBLE) * COALESCE(messages.messages, 0)
  + CAST(:reaction_weight AS DOUBLE) * COALESCE(reactions.reactions, 0) AS weight
FROM pairs
LEFT JOIN messages ON messages.source = pairs.source AND messages.target = pairs.target
LEFT JOIN reactions ON reactions.source = pairs.source AND reactions.target = pairs.target
ORDER BY pairs.source, pairs.target
