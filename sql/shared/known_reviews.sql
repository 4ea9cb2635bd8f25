-- Reviews by the trust team that happened and were recorded by the end of :snapshot_date.
SELECT
  day,
  customer_id,
  occurred_at,
  confirmed_fraud
FROM source.reviews
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
