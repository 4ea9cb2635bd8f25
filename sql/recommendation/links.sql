-- Whose posts a customer may come across through acquaintance: every connection made by :last_day,
-- seen from both sides.
SELECT
  customer_id,
  other_customer_id AS author,
  occurred_at
FROM shared.known_by_last_day_connections
UNION ALL
SELECT
  other_customer_id AS customer_id,
  customer_id AS author,
  occurred_at
FROM shared.known_by_last_day_connections
ORDER BY customer_id, author, occurred_at
