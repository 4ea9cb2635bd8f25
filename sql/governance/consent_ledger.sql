-- Who could be used for what on :snapshot_date: every customer known by then, each purpose, and the
-- latest statement on it known by then, in any account that was merged; of the same instant a
-- refusal wins. Of whom nothing is stated, analytics is usable, and what the source itself grants
-- for all where it has no table of consents: the purposes in :granted_purposes, in commas.
WITH
ranked AS (
  SELECT
    customer_id,
    purpose,
    granted,
    occurred_at,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id, purpose
      ORDER BY occurred_at DESC, CASE WHEN granted THEN 1 ELSE 0 END ASC
    ) AS statement_rank
  FROM shared.any_known_consents
),
latest AS (
  SELECT customer_id, purpose, granted, CAST(occurred_at AS DATE) AS since
  FROM ranked
  WHERE statement_rank = 1
),
purposes AS (
  SELECT 'analytics' AS purpose
  UNION ALL SELECT 'personalisation' AS purpose
  UNION ALL SELECT 'sentiment' AS purpose
  UNION ALL SELECT 'notifications' AS purpose
  UNION ALL SELECT 'federated' AS purpose
)
SELECT
  people.customer_id,
  :snapshot_date AS snapshot_date,
  purposes.purpose,
  COALESCE(
    latest.granted,
    purposes.purpose = 'analytics' OR :granted_purposes LIKE '%,' || purposes.purpose || ',%'
  ) AS usable,
  latest.since
FROM shared.any_known_customers AS people
CROSS JOIN purposes
LEFT JOIN latest
  ON people.customer_id = latest.customer_id AND purposes.purpose = latest.purpose
ORDER BY people.customer_id, purposes.purpose
