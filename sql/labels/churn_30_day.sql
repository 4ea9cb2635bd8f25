-- 1 for a customer without a session in the 30 days after :snapshot_date (up to :last_day), 0 for
-- one with a session, among the customers who had one in the 30 days up to :snapshot_date, as
-- known then. Rows after the snapshot count that were recorded by :known_by_day, the end of the
-- window. Customers who were not active have no row: they cannot leave.
WITH
active AS (
  SELECT DISTINCT customer_id
  FROM shared.known_sessions
  WHERE day >= CAST(:snapshot_date - INTERVAL 29 DAY AS DATE)
    AND occurred_at >= CAST(:snapshot_date AS TIMESTAMP) - INTERVAL 29 DAY
),
returned AS (
  SELECT DISTINCT customer_id
  FROM source.sessions
  WHERE day BETWEEN :first_day AND :known_by_day
    AND occurred_at >= CAST(:first_day AS TIMESTAMP)
    AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
    AND recorded_at < CAST(:known_by_day AS TIMESTAMP) + INTERVAL 1 DAY
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  CAST(CASE WHEN returned.customer_id IS NULL THEN 1 ELSE 0 END AS BIGINT) AS churn_30_day
FROM shared.known_customers AS customers
INNER JOIN active ON active.customer_id = customers.customer_id
LEFT JOIN returned ON returned.customer_id = customers.customer_id
ORDER BY customers.customer_id
