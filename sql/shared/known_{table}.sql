-- Rows of a raw table that happened and were recorded by the end of :snapshot_date, for every table
-- without a file of its own. A column that is filled later than its row is masked in such a file.
SELECT *
FROM source.{table}
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
