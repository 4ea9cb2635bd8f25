-- What moved since :day_before, and why: customers of whom a score moved by at least :least_change
-- (health by 100 times that), or whose band or review changed. Empty where the day before has no
-- predictions. `why` tells a new model from a customer who changed.
WITH
today AS (
  SELECT * FROM predictions.customers WHERE day = :snapshot_date
),
before AS (
  SELECT * FROM predictions.customers WHERE day = :day_before
),
moved AS (
  SELECT
    today.customer_id,
    today.snapshot_date,
    today.engagement_score - before.engagement_score AS engagement_change,
    today.churn_probability - before.churn_probability AS churn_change,
    today.lifetime_value_usd - before.lifetime_value_usd AS lifetime_value_change_usd,
    today.anomaly_score - before.anomaly_score AS anomaly_change,
    today.customer_health - before.customer_health AS health_change,
    before.churn_band AS churn_band_before,
    today.churn_band AS churn_band_now,
    COALESCE(today.needs_review, FALSE) AS needs_review_now,
    COALESCE(before.needs_review, FALSE) AS needs_review_before,
    before.churn_reasons AS churn_reasons_before,
    today.churn_reasons AS churn_reasons_now,
    before.engagement_reasons AS engagement_reasons_before,
    today.engagement_reasons AS engagement_reasons_now,
    COALESCE(today.engagement_version, '') <> COALESCE(before.engagement_version, '')
    OR (
      today.churn_version IS NOT NULL AND before.churn_version IS NOT NULL
      AND today.churn_version <> before.churn_version
    )
    OR COALESCE(today.lifetime_value_version, '') <> COALESCE(before.lifetime_value_version, '')
      AS model_changed
  FROM today
  INNER JOIN before ON today.customer_id = before.customer_id
)
SELECT
  customer_id,
  snapshot_date,
  engagement_change,
  churn_change,
  lifetime_value_change_usd,
  anomaly_change,
  health_change,
  churn_band_before,
  churn_band_now,
  needs_review_before,
  needs_review_now,
  CASE
    WHEN model_changed THEN 'another model version predicts'
    WHEN churn_band_before IS NOT NULL AND churn_band_now IS NULL
      THEN 'no session in the 30 days before, so no longer scored for churn'
    WHEN churn_band_before IS NULL AND churn_band_now IS NOT NULL
      THEN 'came back and is scored for churn again'
    WHEN COALESCE(churn_reasons_before, '') <> COALESCE(churn_reasons_now, '')
      THEN 'churn reasons changed'
    WHEN COALESCE(engagement_reasons_before, '') <> COALESCE(engagement_reasons_now, '')
      THEN 'engagement reasons changed'
    ELSE 'features that are no top reason changed'
  END AS why,
  churn_reasons_before,
  churn_reasons_now,
  engagement_reasons_before,
  engagement_reasons_now
FROM moved
WHERE ABS(COALESCE(engagement_change, 0)) >= :least_change
  OR ABS(COALESCE(churn_change, 0)) >= :least_change
  OR ABS(COALESCE(anomaly_change, 0)) >= :least_change
  OR ABS(COALESCE(health_change, 0)) >= 100 * :least_change
  OR COALESCE(churn_band_before, '') <> COALESCE(churn_band_now, '')
  OR needs_review_before <> needs_review_now
ORDER BY customer_id
