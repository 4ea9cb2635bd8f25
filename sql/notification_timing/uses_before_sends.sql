-- Sessions by hour of the day (UTC) in the 56 days before the day of each notification whose delay
-- was drawn by lot, from :since_day on, as they were known when that day began.
WITH
sends AS (
  SELECT
    notification_id,
    customer_id,
    CAST(CAST(occurred_at AS DATE) AS TIMESTAMP) AS day_begins,
    CAST(CAST(occurred_at AS DATE) AS TIMESTAMP) - INTERVAL 56 DAY AS known_from
  FROM shared.known_notifications
  WHERE propensity IS NOT NULL AND occurred_at >= CAST(:since_day AS TIMESTAMP)
)
SELECT
  sends.notification_id,
  EXTRACT(HOUR FROM sessions.occurred_at) AS hour_of_day,
  COUNT(*) AS uses
FROM sends
INNER JOIN shared.known_sessions AS sessions
  ON sessions.customer_id = sends.customer_id
  AND sessions.occurred_at >= CAST(:since_day AS TIMESTAMP) - INTERVAL 56 DAY
  AND sessions.occurred_at >= sends.known_from
  AND sessions.occurred_at < sends.day_begins
  AND sessions.recorded_at < sends.day_begins
GROUP BY sends.notification_id, EXTRACT(HOUR FROM sessions.occurred_at)
ORDER BY sends.notification_id, hour_of_day
