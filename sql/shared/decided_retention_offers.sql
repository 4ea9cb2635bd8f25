-- Retention offers from :since_day on, as known by the end of :snapshot_date.
SELECT
  offer_id AS decision_id,
  customer_id,
  occurred_at,
  offer AS action,
  propensity
FROM shared.known_retention_offers
WHERE occurred_at >= CAST(:since_day AS TIMESTAMP)
