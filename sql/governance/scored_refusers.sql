-- Customers who refused analytics before :snapshot_date, have not agreed again since by all that
-- the lake holds now, and are scored on that day all the same.
WITH
refused AS (
  SELECT customer_id, MAX(occurred_at) AS refused_at
  FROM source.consents
  WHERE purpose = 'analytics' AND NOT granted AND day < :snapshot_date
  GROUP BY customer_id
)
SELECT scored.customer_id
FROM predictions.customers AS scored
INNER JOIN shared.withheld_analytics AS refusing ON scored.customer_id = refusing.customer_id
INNER JOIN refused ON scored.customer_id = refused.customer_id
WHERE scored.day = :snapshot_date AND CAST(refused.refused_at AS DATE) < :snapshot_date
ORDER BY scored.customer_id
