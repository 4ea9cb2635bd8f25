-- Customers whom a person should look at: those whom the decision on reviews sends there on
-- :snapshot_date and of whom no verdict came back since they were first sent, the highest score
-- first. A verdict older than the first of an unbroken series of flags does not settle a new one.
WITH
scored AS (
  SELECT * FROM anomaly.predictions WHERE day = :snapshot_date
),
chosen AS (
  SELECT customer_id FROM review.choices WHERE day = :snapshot_date AND needs_review
),
earlier AS (
  SELECT customer_id, MIN(day) AS flagged_since
  FROM review.choices
  WHERE day BETWEEN :earliest AND :snapshot_date AND needs_review
  GROUP BY customer_id
),
verdicts AS (
  SELECT customer_id, MAX(CAST(occurred_at AS DATE)) AS reviewed_on
  FROM shared.known_reviews
  GROUP BY customer_id
)
SELECT
  scored.customer_id,
  scored.snapshot_date,
  scored.anomaly_score,
  scored.kind,
  earlier.flagged_since,
  verdicts.reviewed_on AS last_reviewed_on,
  scored.reason_1_feature,
  scored.reason_1_value,
  scored.reason_1_typical,
  scored.reason_2_feature,
  scored.reason_2_value,
  scored.reason_2_typical,
  scored.reason_3_feature,
  scored.reason_3_value,
  scored.reason_3_typical,
  scored.model_version
FROM scored
INNER JOIN chosen ON scored.customer_id = chosen.customer_id
INNER JOIN earlier ON scored.customer_id = earlier.customer_id
LEFT JOIN verdicts ON scored.customer_id = verdicts.customer_id
WHERE verdicts.reviewed_on IS NULL OR verdicts.reviewed_on < earlier.flagged_since
ORDER BY scored.anomaly_score DESC, scored.customer_id
