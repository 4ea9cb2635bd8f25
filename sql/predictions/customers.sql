-- Everything that the models say of each customer of :snapshot_date, one row a customer. A model
-- that does not score a customer leaves nulls; one that has no champion yet leaves them everywhere.
WITH
people AS (
  SELECT customer_id, snapshot_date FROM features.customer_features WHERE day = :snapshot_date
),
engagement AS (
  SELECT
    customer_id,
    engagement_score,
    CONCAT_WS(
      '; ',
      reason_1_feature || ' ' || reason_1_value || ' (typical ' || reason_1_typical || ')',
      reason_2_feature || ' ' || reason_2_value || ' (typical ' || reason_2_typical || ')',
      reason_3_feature || ' ' || reason_3_value || ' (typical ' || reason_3_typical || ')'
    ) AS reasons,
    model_version
  FROM engagement.predictions
  WHERE day = :snapshot_date
),
churn AS (
  SELECT
    customer_id,
    churn_probability,
    band,
    action,
    above_cost_threshold,
    CONCAT_WS(
      '; ',
      reason_1_feature || ' ' || reason_1_value || ' (typical ' || reason_1_typical || ')',
      reason_2_feature || ' ' || reason_2_value || ' (typical ' || reason_2_typical || ')',
      reason_3_feature || ' ' || reason_3_value || ' (typical ' || reason_3_typical || ')'
    ) AS reasons,
    model_version
  FROM churn.predictions
  WHERE day = :snapshot_date
),
value AS (
  SELECT
    customer_id,
    future_revenue_usd,
    future_revenue_usd_p10,
    future_revenue_usd_p50,
    future_revenue_usd_p90,
    lifetime_value_usd,
    retention_priority,
    is_vip,
    acquire_channels,
    CONCAT_WS(
      '; ',
      reason_1_feature || ' ' || reason_1_value || ' (typical ' || reason_1_typical || ')',
      reason_2_feature || ' ' || reason_2_value || ' (typical ' || reason_2_typical || ')',
      reason_3_feature || ' ' || reason_3_value || ' (typical ' || reason_3_typical || ')'
    ) AS reasons,
    model_version
  FROM lifetime_value.predictions
  WHERE day = :snapshot_date
),
anomaly AS (
  SELECT
    customer_id,
    anomaly_score,
    kind,
    needs_review,
    CONCAT_WS(
      '; ',
      reason_1_feature || ' ' || reason_1_value || ' (typical ' || reason_1_typical || ')',
      reason_2_feature || ' ' || reason_2_value || ' (typical ' || reason_2_typical || ')',
      reason_3_feature || ' ' || reason_3_value || ' (typical ' || reason_3_typical || ')'
    ) AS reasons,
    model_version
  FROM anomaly.predictions
  WHERE day = :snapshot_date
),
recommendation AS (
  SELECT customer_id, items, source, model_version
  FROM recommendation.predictions
  WHERE day = :snapshot_date
),
ensemble AS (
  SELECT
    customer_id,
    refined_churn_probability,
    refined_engagement_score,
    refined_future_revenue_usd,
    customer_health,
    CONCAT_WS(
      '; ',
      reason_1_feature || ' ' || reason_1_value || ' (typical ' || reason_1_typical || ')',
      reason_2_feature || ' ' || reason_2_value || ' (typical ' || reason_2_typical || ')',
      reason_3_feature || ' ' || reason_3_value || ' (typical ' || reason_3_typical || ')'
    ) AS reasons,
    model_version
  FROM ensemble.predictions
  WHERE day = :snapshot_date
)
SELECT
  people.customer_id,
  people.snapshot_date,
  engagement.engagement_score,
  engagement.reasons AS engagement_reasons,
  churn.churn_probability,
  churn.band AS churn_band,
  churn.above_cost_threshold,
  churn.reasons AS churn_reasons,
  value.future_revenue_usd,
  value.future_revenue_usd_p10,
  value.future_revenue_usd_p50,
  value.future_revenue_usd_p90,
  value.lifetime_value_usd,
  value.retention_priority,
  value.is_vip,
  value.acquire_channels,
  value.reasons AS value_reasons,
  anomaly.anomaly_score,
  anomaly.kind AS anomaly_kind,
  anomaly.needs_review,
  anomaly.reasons AS anomaly_reasons,
  recommendation.items AS recommended_items,
  recommendation.source AS recommendation_source,
  ensemble.refined_churn_probability,
  ensemble.refined_engagement_score,
  ensemble.refined_future_revenue_usd,
  ensemble.customer_health,
  ensemble.reasons AS health_reasons,
  CONCAT_WS(
    '; ',
    CASE WHEN churn.action <> 'none' THEN churn.action END,
    CASE WHEN value.retention_priority THEN :retention_action END,
    CASE WHEN anomaly.needs_review THEN :review_action END
  ) AS actions_due,
  engagement.model_version AS engagement_version,
  churn.model_version AS churn_version,
  value.model_version AS lifetime_value_version,
  anomaly.model_version AS anomaly_version,
  recommendation.model_version AS recommendation_version,
  ensemble.model_version AS ensemble_version
FROM people
LEFT JOIN engagement ON people.customer_id = engagement.customer_id
LEFT JOIN churn ON people.customer_id = churn.customer_id
LEFT JOIN value ON people.customer_id = value.customer_id
LEFT JOIN anomaly ON people.customer_id = anomaly.customer_id
LEFT JOIN recommendation ON people.customer_id = recommendation.customer_id
LEFT JOIN ensemble ON people.customer_id = ensemble.customer_id
ORDER BY people.customer_id
