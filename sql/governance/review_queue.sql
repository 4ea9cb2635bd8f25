-- Customers whom a person should look at: those that the anomaly detector sends to review on
-- :snapshot_date and of whom no verdict came back since they were first sent, the highest score
-- first. A verdict older than the first of an unbroken series of flags does not settle a new one.
WITH
flagged AS (
  SELECT * FROM anomaly.predictions WHERE day = :snapshot_date AND needs_review
),
earlier AS (
  SELECT customer_id, MIN(day) AS flagged_since
  FROM anomaly.predictions
  WHERE day BETWEEN :earliest AND :snapshot_date AND needs_review
  GROUP BY customer_id
),
verdicts AS (
  SELECT customer_id, MAX(CAST(occurred_at AS DATE)) AS reviewed_on
  FROM source.reviews
  WHERE occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  GROUP BY customer_id
)
SELECT
  flagged.customer_id,
  flagged.snapshot_date,
  flagged.anomaly_score,
  flagged.kind,
  earlier.flagged_since,
  verdicts.reviewed_on AS last_reviewed_on,
  flagged.reason_1_feature,
  flagged.reason_1_value,
  flagged.reason_1_typical,
  flagged.reason_2_feature,
  flagged.reason_2_value,
  flagged.reason_2_typical,
  flagged.reason_3_feature,
  flagged.reason_3_value,
  flagged.reason_3_typical,
  flagged.model_version
FROM flagged
INNER JOIN earlier ON flagged.customer_id = earlier.customer_id
LEFT JOIN verdicts ON flagged.customer_id = verdicts.customer_id
WHERE verdicts.reviewed_on IS NULL OR verdicts.reviewed_on < earlier.flagged_since
ORDER BY flagged.anomaly_score DESC, flagged.customer_id
