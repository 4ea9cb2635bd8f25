-- Customers by the end of :snapshot_date, and what bars contact with them: the variant `holdout`
-- of the experiment :holdout, an opt-out that no later consent to notifications took back, and a
-- refusal of analytics.
WITH
opt_outs AS (
  SELECT
    customer_id,
    MAX(unsubscribed_at) AS opted_out_at
  FROM shared.any_known_notifications
  WHERE unsubscribed_at IS NOT NULL
  GROUP BY customer_id
),
opt_ins AS (
  SELECT
    customer_id,
    MAX(occurred_at) AS opted_in_at
  FROM shared.known_consents
  WHERE purpose = 'notifications' AND granted
  GROUP BY customer_id
),
held_out AS (
  SELECT DISTINCT customer_id
  FROM shared.any_known_experiment_assignments
  WHERE experiment = :holdout AND variant = 'holdout'
)
SELECT
  people.customer_id,
  people.time_zone,
  held_out.customer_id IS NOT NULL AS holdout,
  opt_outs.customer_id IS NOT NULL
  AND (opt_ins.customer_id IS NULL OR opt_ins.opted_in_at <= opt_outs.opted_out_at) AS opted_out,
  refusals.customer_id IS NOT NULL AS refuses_analytics
FROM shared.any_known_customers AS people
LEFT JOIN held_out ON held_out.customer_id = people.customer_id
LEFT JOIN shared.withheld_analytics AS refusals ON refusals.customer_id = people.customer_id
LEFT JOIN opt_outs ON opt_outs.customer_id = people.customer_id
LEFT JOIN opt_ins ON opt_ins.customer_id = people.customer_id
ORDER BY people.customer_id
