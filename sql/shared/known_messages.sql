-- Messages that happened and were recorded by the end of :snapshot_date.
-- A reply that came later was not known yet: its time is masked.
SELECT
  day,
  customer_id,
  recipient_id,
  occurred_at,
  CASE
    WHEN replied_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY THEN replied_at
  END AS replied_at
FROM source.messages
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
