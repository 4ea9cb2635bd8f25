-- How each customer used the app in the sessions of the 30 days that end with :snapshot_date.
-- Times are UTC: night is 0-5, morning 6-11, afternoon 12-17, evening 18-23 o'clock, the weekend is
-- Saturday and Sunday. A session counts when and where it began. The part of the day with the most
-- sessions wins, and of equals the earliest; of devices with as many sessions, the first by name.
-- Shares and means are null for a customer without a session that knows the value.
WITH
sessions AS (
  SELECT
    customer_id,
    device,
    CAST(pages AS BIGINT) AS pages,
    EXTRACT(HOUR FROM occurred_at) AS hour_of_day,
    -- days since a Monday, for want of a weekday function that both engines have
    MOD(DATE_DIFF('day', DATE '1900-01-01', CAST(occurred_at AS DATE)), 7) AS weekday,
    CAST(scroll_depth AS DECIMAL(10, 9)) AS scroll_depth,
    CASE WHEN clicks IS NOT NULL THEN impressions END AS impressions,
    -- clicks beyond what was shown are a fault of counting and would lift the rate above 1
    CASE
      WHEN impressions IS NULL THEN NULL
      WHEN clicks > impressions THEN impressions
      ELSE clicks
    END AS clicks
  FROM shared.month_sessions
),
totals AS (
  SELECT
    customer_id,
    CAST(COUNT(*) AS DOUBLE) AS sessions,
    COUNT(DISTINCT device) AS device_count,
    COUNT(*) FILTER (WHERE hour_of_day < 6) AS night,
    COUNT(*) FILTER (WHERE hour_of_day >= 6 AND hour_of_day < 12) AS morning,
    COUNT(*) FILTER (WHERE hour_of_day >= 12 AND hour_of_day < 18) AS afternoon,
    COUNT(*) FILTER (WHERE hour_of_day >= 18) AS evening,
    COUNT(*) FILTER (WHERE weekday >= 5) AS weekend,
    CAST(SUM(scroll_depth) AS DOUBLE) / NULLIF(COUNT(scroll_depth), 0) AS scroll_depth_avg,
    CAST(SUM(clicks) AS DOUBLE)
    / NULLIF(CAST(SUM(impressions) AS DOUBLE), 0) AS click_rate,
    CAST(COUNT(*) FILTER (WHERE pages <= 1) AS DOUBLE)
    / NULLIF(COUNT(pages), 0) AS bounce_rate,
    CAST(SUM(pages) AS DOUBLE) / NULLIF(COUNT(pages), 0) AS pages_per_session
  FROM sessions
  GROUP BY customer_id
),
devices AS (
  SELECT
    customer_id,
    device,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id
      ORDER BY sessions DESC, device ASC
    ) AS device_rank
  FROM (
    SELECT customer_id, device, COUNT(*) AS sessions
    FROM sessions
    WHERE device IS NOT NULL
    GROUP BY customer_id, device
  ) AS counted
),
primary_devices AS (
  SELECT customer_id, device
  FROM devices
  WHERE device_rank = 1
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  primary_devices.device AS primary_device,
  CASE
    WHEN totals.customer_id IS NULL THEN NULL
    WHEN night >= morning AND night >= afternoon AND night >= evening THEN 'night'
    WHEN morning >= afternoon AND morning >= evening THEN 'morning'
    WHEN afternoon >= evening THEN 'afternoon'
    ELSE 'evening'
  END AS primary_time_of_day,
  ROUND(totals.scroll_depth_avg, 6) AS scroll_depth_avg,
  ROUND(totals.click_rate, 6) AS click_rate,
  ROUND(totals.bounce_rate, 6) AS bounce_rate,
  ROUND(totals.weekend / totals.sessions, 6) AS weekend_session_share,
  ROUND(totals.night / totals.sessions, 6) AS night_session_share,
  COALESCE(totals.device_count, 0) AS device_count,
  ROUND(totals.pages_per_session, 6) AS pages_per_session
FROM shared.known_customers AS customers
LEFT JOIN totals ON totals.customer_id = customers.customer_id
LEFT JOIN primary_devices ON primary_devices.customer_id = customers.customer_id
ORDER BY customers.customer_id
