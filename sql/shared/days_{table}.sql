-- Rows of a raw table that happened on the days :first_day to :last_day, as known by the end of
-- :known_by_day.
SELECT *
FROM shared.known_by_day_{table}
WHERE day >= :first_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
  AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
