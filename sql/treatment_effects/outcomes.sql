-- Mean daily engagement of each customer of :experiment over the :window_days days after the day of
-- the first assignment, with 0 for a day without use, of those whose window ends by :known_by_day.
-- No window reaches beyond :first_day to :last_day, so no other day's use is added up.
WITH
assigned AS (
  SELECT customer_id, CAST(MIN(occurred_at) AS DATE) AS assigned_on
  FROM shared.known_by_day_experiment_assignments
  WHERE experiment = :experiment
  GROUP BY customer_id
),
used AS (
  SELECT
    assigned.customer_id,
    CAST(SUM(uses.daily_engagement) AS DOUBLE) / :window_days AS engagement
  FROM assigned
  INNER JOIN shared.daily_engagement AS uses
    ON uses.customer_id = assigned.customer_id
    AND DATE_DIFF('day', assigned.assigned_on, uses.used_on) BETWEEN 1 AND :window_days
  GROUP BY assigned.customer_id
)
SELECT
  assigned.customer_id,
  assigned.assigned_on,
  ROUND(COALESCE(used.engagement, 0), 6) AS engagement
FROM assigned
LEFT JOIN used ON used.customer_id = assigned.customer_id
WHERE DATE_DIFF('day', assigned.assigned_on, :known_by_day) >= :window_days
ORDER BY assigned.customer_id
