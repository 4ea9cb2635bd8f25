-- Daily engagement of a customer and day, in [0, 1), for the days :first_day to :last_day as known
-- by the end of :known_by_day: 1 - exp(-(minutes / 30 + actions / 10)), with minutes = length of
-- the sessions that began that day, and actions = interactions + messages sent + posts + event
-- joins of that day. It saturates: half an hour alone gives 0.63, an hour 0.86. A day on which a
-- customer did nothing has no row and counts as 0. Nine decimals, as an exact DECIMAL, so that
-- means and slopes over days do not depend on the order of the rows.
WITH
acts AS (
  SELECT customer_id, occurred_at FROM shared.days_interactions
  UNION ALL
  SELECT customer_id, occurred_at FROM shared.days_messages
  UNION ALL
  SELECT customer_id, occurred_at FROM shared.days_posts
  UNION ALL
  SELECT customer_id, occurred_at FROM shared.days_event_joins
),
parts AS (
  SELECT
    customer_id,
    occurred_at,
    CAST(duration_seconds AS DECIMAL(18, 3)) AS seconds,
    0 AS actions
  FROM shared.days_sessions
  UNION ALL
  SELECT
    customer_id,
    occurred_at,
    CAST(0 AS DECIMAL(18, 3)) AS seconds,
    1 AS actions
  FROM acts
),
totals AS (
  SELECT
    customer_id,
    CAST(occurred_at AS DATE) AS used_on,
    CAST(SUM(seconds) AS DOUBLE) / 60 AS minutes,
    CAST(SUM(actions) AS DOUBLE) AS actions
  FROM parts
  GROUP BY customer_id, CAST(occurred_at AS DATE)
)
SELECT
  customer_id,
  used_on,
  CAST(
    LEAST(1 - EXP(-(minutes / 30 + actions / 10)), 0.999999999) AS DECIMAL(10, 9)
  ) AS daily_engagement
FROM totals
