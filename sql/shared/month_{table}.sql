-- Rows of a raw table that were known by the end of :snapshot_date and happened in the 30 days that
-- end with it.
SELECT *
FROM shared.known_{table}
WHERE day >= CAST(:snapshot_date - INTERVAL 29 DAY AS DATE)
  AND occurred_at >= CAST(:snapshot_date AS TIMESTAMP) - INTERVAL 29 DAY
