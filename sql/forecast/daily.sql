-- What was done on each of the days :first_day to :last_day, as known by the end of :known_by_day,
-- by location, device and segment: customers who did something, their engagement (the sum of the
-- daily engagement in [0, 1)), sessions, messages sent, and revenue. All that a customer does on a
-- day counts to the device of the day's first session, and on all days to the segment that they had
-- on the latest day with segments up to :segments_by, so that the parts add up to the whole. Sums
-- are of exact decimals, so that they do not depend on the order of the rows.
WITH
visits AS (
  SELECT
    customer_id,
    CAST(occurred_at AS DATE) AS used_on,
    COUNT(*) AS sessions,
    MIN(occurred_at) AS first_at
  FROM shared.days_sessions
  GROUP BY customer_id, CAST(occurred_at AS DATE)
),
devices AS (
  SELECT visits.customer_id, visits.used_on, MIN(sessions.device) AS device
  FROM visits
  INNER JOIN shared.days_sessions AS sessions
    ON sessions.customer_id = visits.customer_id AND sessions.occurred_at = visits.first_at
  GROUP BY visits.customer_id, visits.used_on
),
segments AS (
  SELECT customer_id, segment
  FROM segments.predictions
  WHERE day = (SELECT MAX(day) FROM segments.predictions WHERE day <= :segments_by)
),
parts AS (
  SELECT
    customer_id,
    used_on,
    1 AS active,
    daily_engagement AS engagement,
    0 AS sessions,
    0 AS messages,
    CAST(0 AS DECIMAL(18, 4)) AS revenue
  FROM shared.daily_engagement
  UNION ALL
  SELECT customer_id, used_on, 0, CAST(0 AS DECIMAL(10, 9)), sessions, 0, CAST(0 AS DECIMAL(18, 4))
  FROM visits
  UNION ALL
  SELECT
    customer_id,
    CAST(occurred_at AS DATE) AS used_on,
    0,
    CAST(0 AS DECIMAL(10, 9)),
    0,
    1,
    CAST(0 AS DECIMAL(18, 4))
  FROM shared.days_messages
  UNION ALL
  SELECT
    customer_id,
    CAST(occurred_at AS DATE) AS used_on,
    0,
    CAST(0 AS DECIMAL(10, 9)),
    0,
    0,
    CAST(amount_usd AS DECIMAL(18, 4))
  FROM shared.days_transactions
)
SELECT
  parts.used_on AS day,
  COALESCE(customers.location, 'unknown') AS location,
  COALESCE(devices.device, 'unknown') AS device,
  COALESCE(segments.segment, 'none') AS segment,
  SUM(parts.active) AS active_customers,
  CAST(SUM(parts.engagement) AS DOUBLE) AS engagement,
  SUM(parts.sessions) AS sessions,
  SUM(parts.messages) AS messages,
  CAST(SUM(parts.revenue) AS DOUBLE) AS revenue_usd
FROM parts
LEFT JOIN devices
  ON devices.customer_id = parts.customer_id AND devices.used_on = parts.used_on
LEFT JOIN shared.known_by_day_customers AS customers
  ON customers.customer_id = parts.customer_id
LEFT JOIN segments
  ON segments.customer_id = parts.customer_id
GROUP BY
  parts.used_on,
  COALESCE(customers.location, 'unknown'),
  COALESCE(devices.device, 'unknown'),
  COALESCE(segments.segment, 'none')
ORDER BY day, location, device, segment
