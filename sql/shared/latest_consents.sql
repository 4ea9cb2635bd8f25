-- The latest statement of each customer on each purpose, by all that is known up to :latest_day. A
-- withdrawal wins over a consent of the same instant.
WITH
ranked AS (
  SELECT
    customer_id,
    purpose,
    granted,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id, purpose
      ORDER BY occurred_at DESC, CASE WHEN granted THEN 1 ELSE 0 END ASC
    ) AS consent_rank
  FROM shared.known_by_latest_day_consents
)
SELECT customer_id, purpose, granted
FROM ranked
WHERE consent_rank = 1
