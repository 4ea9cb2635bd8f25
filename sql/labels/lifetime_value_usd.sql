-- Lifetime value of each customer known by :snapshot_date: revenue to date, as known then and as
-- the feature of that name has it, plus revenue of the :window_days days after (up to :last_day),
-- within 0 to 10,000 USD. `future_revenue_usd` is the second part alone, not bounded and negative
-- where refunds prevail. Rows after the snapshot count that were recorded by :known_by_day, the
-- end of the window. Amounts are summed as exact DECIMALs of nine decimals. All is null while
-- `transactions` has no row known by the end of the window.
WITH
known AS (
  SELECT EXISTS (
    SELECT 1
    FROM shared.known_by_day_transactions
    WHERE occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
  ) AS transactions
),
past AS (
  SELECT
    customer_id,
    SUM(CAST(amount_usd AS DECIMAL(18, 9))) AS revenue
  FROM shared.known_transactions
  GROUP BY customer_id
),
future AS (
  SELECT
    customer_id,
    SUM(CAST(amount_usd AS DECIMAL(18, 9))) AS revenue
  FROM shared.days_transactions
  GROUP BY customer_id
),
revenues AS (
  SELECT
    customers.customer_id,
    known.transactions,
    CAST(COALESCE(past.revenue, 0) + COALESCE(future.revenue, 0) AS DOUBLE) AS total,
    CAST(COALESCE(future.revenue, 0) AS DOUBLE) AS future
  FROM shared.known_customers AS customers
  CROSS JOIN known
  LEFT JOIN past ON past.customer_id = customers.customer_id
  LEFT JOIN future ON future.customer_id = customers.customer_id
)
SELECT
  customer_id,
  :snapshot_date AS snapshot_date,
  CAST(:window_days AS BIGINT) AS window_days,
  CASE
    WHEN NOT transactions THEN NULL
    WHEN total < 0 THEN 0
    WHEN total > 10000 THEN 10000
    ELSE total
  END AS lifetime_value_usd,
  CASE WHEN transactions THEN future END AS future_revenue_usd
FROM revenues
ORDER BY customer_id
