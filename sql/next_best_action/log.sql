-- Next best actions that are known by the end of :snapshot_date, with what was known before each,
-- in the columns of the features of the day before, and the share of the :window_days days after
-- its day on which the customer came back: null where these are not over.
WITH
decisions AS (
  SELECT
    action_id,
    customer_id,
    occurred_at,
    CAST(occurred_at AS DATE) AS acted_on,
    CASE WHEN action = 'do_nothing' THEN 'none' ELSE action END AS action,
    propensity,
    time_of_day,
    last_action,
    device
  FROM shared.known_action_log
),
visits AS (
  SELECT
    decisions.action_id,
    DATE_DIFF('day', decisions.acted_on, CAST(sessions.occurred_at AS DATE)) AS days_after,
    sessions.duration_seconds,
    sessions.scroll_depth
  FROM decisions
  INNER JOIN shared.known_sessions AS sessions
    ON sessions.customer_id = decisions.customer_id
    AND DATE_DIFF('day', decisions.acted_on, CAST(sessions.occurred_at AS DATE))
    BETWEEN -30 AND :window_days
),
counted AS (
  SELECT
    action_id,
    COUNT(*) FILTER (WHERE days_after < 0) AS logins_month,
    COUNT(DISTINCT CASE WHEN days_after < 0 THEN days_after END) AS active_days_month,
    CAST(
      SUM(CAST(duration_seconds AS DECIMAL(18, 3))) FILTER (WHERE days_after < 0) AS DOUBLE
    ) / 60 AS minutes,
    CAST(
      SUM(CAST(scroll_depth AS DECIMAL(10, 9))) FILTER (WHERE days_after < 0) AS DOUBLE
    ) / NULLIF(COUNT(scroll_depth) FILTER (WHERE days_after < 0), 0) AS scroll_depth_avg,
    COUNT(DISTINCT CASE WHEN days_after > 0 THEN days_after END) AS days_back
  FROM visits
  GROUP BY action_id
)
SELECT
  decisions.action_id,
  decisions.customer_id,
  decisions.occurred_at AS acted_at,
  decisions.action,
  decisions.propensity,
  decisions.time_of_day,
  decisions.last_action,
  decisions.device,
  COALESCE(counted.logins_month, 0) AS logins_month,
  COALESCE(counted.active_days_month, 0) AS active_days_month,
  COALESCE(ROUND(counted.minutes, 6), 0) AS session_minutes_month,
  ROUND(counted.scroll_depth_avg, 6) AS scroll_depth_avg,
  CASE
    WHEN DATE_DIFF('day', decisions.acted_on, :snapshot_date) >= :window_days
      THEN COALESCE(counted.days_back, 0) / CAST(:window_days AS DOUBLE)
  END AS reward
FROM decisions
LEFT JOIN counted ON counted.action_id = decisions.action_id
ORDER BY decisions.occurred_at, decisions.action_id
