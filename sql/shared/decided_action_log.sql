-- Next best actions from :since_day on, as known by the end of :snapshot_date.
SELECT
  action_id AS decision_id,
  customer_id,
  occurred_at,
  action AS action,
  propensity
FROM shared.known_action_log
WHERE occurred_at >= CAST(:since_day AS TIMESTAMP)
