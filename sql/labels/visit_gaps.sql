-- Days between the visits of each customer as known by the end of :snapshot_date: how many
-- customers came back after each number of days. A customer counts once, in equal parts over their
-- returns, so that those who come daily do not outnumber the rest.
WITH
visits AS (
  SELECT DISTINCT customer_id, CAST(occurred_at AS DATE) AS visited_on
  FROM shared.known_sessions
),
returns AS (
  SELECT
    customer_id,
    DATE_DIFF(
      'day',
      LAG(visited_on) OVER (PARTITION BY customer_id ORDER BY visited_on),
      visited_on
    ) AS gap_days
  FROM visits
),
weighed AS (
  SELECT
    gap_days,
    CAST(1 AS DOUBLE) / COUNT(*) OVER (PARTITION BY customer_id) AS customers
  FROM returns
  WHERE gap_days IS NOT NULL
)
SELECT
  CAST(gap_days AS BIGINT) AS gap_days,
  SUM(customers) AS customers
FROM weighed
GROUP BY gap_days
ORDER BY gap_days
