-- 1 for a customer without a session in the :window_days days after :snapshot_date (up to
-- :last_day), 0 for one with a session, among the customers who had one in as many days up to
-- :snapshot_date (from :active_from), as known then. Rows after the snapshot count that were
-- recorded by :known_by_day, the end of the window. Customers who were not active have no row:
-- they cannot leave.
WITH
active AS (
  SELECT DISTINCT customer_id
  FROM shared.known_sessions
  WHERE day >= :active_from AND occurred_at >= CAST(:active_from AS TIMESTAMP)
),
returned AS (
  SELECT DISTINCT customer_id
  FROM shared.days_sessions
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  CAST(:window_days AS BIGINT) AS window_days,
  CAST(CASE WHEN returned.customer_id IS NULL THEN 1 ELSE 0 END AS BIGINT) AS churn_30_day
FROM shared.known_customers AS customers
INNER JOIN active ON active.customer_id = customers.customer_id
LEFT JOIN returned ON returned.customer_id = customers.customer_id
ORDER BY customers.customer_id
