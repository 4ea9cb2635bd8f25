-- Mean daily engagement of each customer known by :snapshot_date over the :window_days days after
-- it, :first_day to :last_day, with 0 for a day without use. Rows count that were recorded by
-- :known_by_day, the end of that window: a later arrival does not change a label.
WITH
weeks AS (
  SELECT
    customer_id,
    CAST(SUM(daily_engagement) AS DOUBLE) / :window_days AS engagement_score
  FROM shared.daily_engagement
  GROUP BY customer_id
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  CAST(:window_days AS BIGINT) AS window_days,
  ROUND(COALESCE(weeks.engagement_score, 0), 6) AS engagement_score
FROM shared.known_customers AS customers
LEFT JOIN weeks ON weeks.customer_id = customers.customer_id
ORDER BY customers.customer_id
