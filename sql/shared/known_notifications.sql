-- Notifications that happened and were recorded by the end of :snapshot_date.
-- An opening that came later was not known yet: its time is masked.
SELECT
  day,
  customer_id,
  occurred_at,
  CASE
    WHEN opened_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY THEN opened_at
  END AS opened_at
FROM source.notifications
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
