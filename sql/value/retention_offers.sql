-- One retention offer a row, from :since_day on: its chance and what came of it.
SELECT
  decision_id,
  customer_id,
  occurred_at,
  action,
  propensity,
  revenue_usd,
  sessions,
  sessions_before,
  revenue_before_usd
FROM shared.outcomes_retention_offers
ORDER BY occurred_at, decision_id
