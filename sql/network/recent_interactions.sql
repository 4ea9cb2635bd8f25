-- Interactions from :first_day on that were known by the end of :snapshot_date.
SELECT
  post_id,
  customer_id,
  kind,
  occurred_at
FROM shared.known_interactions
WHERE day >= :first_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
ORDER BY occurred_at, customer_id, post_id, kind
