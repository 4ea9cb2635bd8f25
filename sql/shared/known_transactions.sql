-- Payments and refunds that happened and were recorded by the end of :snapshot_date.
-- Amounts are exact cents, so that their sum does not depend on the order of the rows.
SELECT
  day,
  customer_id,
  occurred_at,
  CAST(amount_usd AS DECIMAL(18, 2)) AS amount_usd
FROM source.transactions
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
