-- Customers who, by all that is known up to :latest_day, agree that their texts are scored. A
-- withdrawal wins over a consent of the same instant. Where the source has no table of consents,
-- :granted_by_source says what it states for all of its customers.
WITH
ranked AS (
  SELECT
    customer_id,
    granted,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id
      ORDER BY occurred_at DESC, CASE WHEN granted THEN 1 ELSE 0 END ASC
    ) AS consent_rank
  FROM source.consents
  WHERE purpose = 'sentiment' AND day <= :latest_day
)
SELECT customer_id
FROM ranked
WHERE consent_rank = 1 AND granted
UNION
SELECT customer_id
FROM source.customers
WHERE :granted_by_source AND day <= :latest_day
