-- Sessions of each customer by hour of the day (UTC) in the 56 days that end with :snapshot_date.
SELECT
  customer_id,
  EXTRACT(HOUR FROM occurred_at) AS hour_of_day,
  COUNT(*) AS uses
FROM shared.known_sessions
WHERE occurred_at >= CAST(:snapshot_date AS TIMESTAMP) - INTERVAL 55 DAY
GROUP BY customer_id, EXTRACT(HOUR FROM occurred_at)
ORDER BY customer_id, hour_of_day
