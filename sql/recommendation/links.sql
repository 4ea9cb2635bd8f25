-- Whose posts a customer may come across through acquaintance: every connection made by :last_day,
-- seen from both sides.
SELECT
  customer_id,
  other_customer_id AS author,
  occurred_at
FROM source.connections
WHERE day <= :last_day AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
UNION ALL
SELECT
  other_customer_id AS customer_id,
  customer_id AS author,
  occurred_at
FROM source.connections
WHERE day <= :last_day AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
ORDER BY customer_id, author, occurred_at
