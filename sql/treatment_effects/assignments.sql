-- Who was given which variant of which experiment, as known by the end of :last_day. A customer
-- without a propensity was not assigned by chance.
SELECT
  experiment,
  customer_id,
  variant,
  occurred_at,
  propensity
FROM shared.known_by_last_day_experiment_assignments
ORDER BY experiment, customer_id, occurred_at
