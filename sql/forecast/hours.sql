-- Sessions that began in each hour (UTC) of the days :first_day to :last_day, as known by the end
-- of :known_by_day; an hour without one has no row.
SELECT
  CAST(occurred_at AS DATE) AS day,
  EXTRACT(HOUR FROM occurred_at) AS hour,
  COUNT(*) AS sessions
FROM shared.days_sessions
GROUP BY CAST(occurred_at AS DATE), EXTRACT(HOUR FROM occurred_at)
ORDER BY day, hour
