-- One next best action a row, from :since_day on: its chance, its context and what came of it.
SELECT
  outcomes.decision_id,
  outcomes.customer_id,
  outcomes.occurred_at,
  outcomes.action,
  outcomes.propensity,
  outcomes.revenue_usd,
  outcomes.sessions,
  outcomes.sessions_before,
  outcomes.revenue_before_usd,
  actions.time_of_day,
  actions.last_action,
  actions.device
FROM shared.outcomes_action_log AS outcomes
INNER JOIN shared.known_action_log AS actions ON actions.action_id = outcomes.decision_id
ORDER BY outcomes.occurred_at, outcomes.decision_id
