-- Rows of a raw table that happened on the days :first_day to :last_day and were recorded by the end
-- of :known_by_day.
SELECT *
FROM source.{table}
WHERE day BETWEEN :first_day AND :known_by_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
  AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:known_by_day AS TIMESTAMP) + INTERVAL 1 DAY
