-- Interactions that happened and were recorded by the end of :snapshot_date.
SELECT
  day,
  customer_id,
  post_id,
  kind,
  occurred_at
FROM source.interactions
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
