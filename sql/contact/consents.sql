-- Purposes that each customer agrees to by the end of :snapshot_date. A withdrawal wins over a
-- consent of the same instant.
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
  FROM shared.known_consents
)
SELECT
  customer_id,
  purpose
FROM ranked
WHERE consent_rank = 1 AND granted
ORDER BY customer_id, purpose
