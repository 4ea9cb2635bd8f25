-- Customers in the variant `holdout` of the experiment :holdout, by all that is known up to
-- :latest_day.
SELECT DISTINCT customer_id
FROM shared.any_known_by_latest_day_experiment_assignments
WHERE experiment = :holdout AND variant = 'holdout'
ORDER BY customer_id
