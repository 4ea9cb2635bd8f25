-- The latest statement of each customer on :purpose, by all that is known up to :latest_day. A
-- withdrawal wins over a consent of the same instant.
WITH
ranked AS (
  SELECT
    customer_id,
    granted,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id
      ORDER BY occurred_at DESC, CASE WHEN granted THEN 1 ELSE 0 END ASC
    ) AS consent_rank
  FROM shared.known_by_latest_day_consents
  WHERE purpose = :purpose
)
SELECT customer_id, granted
FROM ranked
WHERE consent_rank = 1
