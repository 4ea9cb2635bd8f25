-- What each customer paid and earned by :snapshot_date. Refunds are negative amounts: they lower
-- revenue and count as transactions. Revenue to date and the job rating look at the whole history.
-- Amounts are summed as exact DECIMALs of nine decimals: thousands of 0.004 USD lose nothing.
WITH
known AS (
  SELECT
    EXISTS (SELECT 1 FROM shared.known_transactions) AS transactions,
    EXISTS (SELECT 1 FROM shared.known_gig_listings) AS gig_listings,
    EXISTS (SELECT 1 FROM shared.known_gig_applications) AS gig_applications
),
payments AS (
  SELECT
    customer_id,
    CAST(SUM(CAST(amount_usd AS DECIMAL(18, 9))) AS DOUBLE) AS revenue_to_date_usd,
    CAST(
      SUM(CAST(amount_usd AS DECIMAL(18, 9))) FILTER (
        WHERE occurred_at >= CAST(:snapshot_date AS TIMESTAMP) - INTERVAL 29 DAY
      ) AS DOUBLE
    ) AS transaction_revenue_month,
    COUNT(*) FILTER (
      WHERE occurred_at >= CAST(:snapshot_date AS TIMESTAMP) - INTERVAL 29 DAY
    ) AS transaction_count_month
  FROM shared.known_transactions
  GROUP BY customer_id
),
listings AS (
  SELECT customer_id, COUNT(*) AS gig_listings_month
  FROM shared.month_gig_listings
  GROUP BY customer_id
),
applications AS (
  SELECT customer_id, COUNT(*) AS gig_applications_month
  FROM shared.month_gig_applications
  GROUP BY customer_id
),
ratings AS (
  SELECT
    customer_id,
    CAST(SUM(rating) AS DOUBLE) / COUNT(*) AS job_rating_avg
  FROM shared.known_job_ratings
  GROUP BY customer_id
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  CASE
    WHEN known.transactions THEN COALESCE(payments.transaction_revenue_month, 0)
  END AS transaction_revenue_month,
  CASE
    WHEN known.transactions THEN COALESCE(payments.transaction_count_month, 0)
  END AS transaction_count_month,
  CASE
    WHEN known.transactions THEN COALESCE(payments.revenue_to_date_usd, 0)
  END AS revenue_to_date_usd,
  CASE
    WHEN known.gig_listings THEN COALESCE(listings.gig_listings_month, 0)
  END AS gig_listings_month,
  CASE
    WHEN known.gig_applications THEN COALESCE(applications.gig_applications_month, 0)
  END AS gig_applications_month,
  ROUND(ratings.job_rating_avg, 6) AS job_rating_avg
FROM shared.known_customers AS customers
CROSS JOIN known
LEFT JOIN payments ON payments.customer_id = customers.customer_id
LEFT JOIN listings ON listings.customer_id = customers.customer_id
LEFT JOIN applications ON applications.customer_id = customers.customer_id
LEFT JOIN ratings ON ratings.customer_id = customers.customer_id
ORDER BY customers.customer_id
