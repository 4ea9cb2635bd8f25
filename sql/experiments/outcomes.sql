-- What customers of experiments did in the :window_days full days after the day of their assignment
-- and in as many before it, as known by the end of :known_by_day: one row a customer, day of
-- assignment and measure that is not zero. Only windows that are closed by then count: an outcome
-- that is counted is final. Amounts are exact DECIMALs, so that sums do not depend on an order.
WITH
people AS (
  SELECT DISTINCT
    customer_id,
    CAST(assigned_at AS DATE) AS assigned_on
  FROM experiments.assignments
  WHERE day = :known_by_day
    AND variant_rank = 1
    AND CAST(assigned_at AS DATE) <= :last_assigned
),
opt_ins AS (
  SELECT customer_id FROM shared.sentiment_opt_ins
),
texts AS (
  SELECT
    text_id,
    customer_id,
    occurred_at,
    CASE WHEN p_negative > p_neutral AND p_negative > p_positive THEN 1 ELSE 0 END AS negative,
    ROW_NUMBER() OVER (PARTITION BY text_id ORDER BY day DESC) AS version_rank
  FROM sentiment.scores
  WHERE day BETWEEN :first_day AND :known_by_day
    AND score IS NOT NULL
    AND customer_id IN (SELECT customer_id FROM opt_ins)
),
facts AS (
  SELECT
    customer_id,
    used_on AS happened_on,
    'engagement' AS measure,
    CAST(daily_engagement AS DECIMAL(18, 9)) AS amount
  FROM shared.daily_engagement
  UNION ALL
  SELECT customer_id, CAST(occurred_at AS DATE), 'sessions', CAST(1 AS DECIMAL(18, 9))
  FROM shared.days_sessions
  UNION ALL
  SELECT
    customer_id,
    CAST(occurred_at AS DATE),
    'minutes',
    CAST(duration_seconds / 60 AS DECIMAL(18, 9))
  FROM shared.days_sessions
  UNION ALL
  SELECT
    customer_id,
    CAST(occurred_at AS DATE),
    'revenue',
    CAST(amount_usd AS DECIMAL(18, 9))
  FROM shared.days_transactions
  UNION ALL
  SELECT customer_id, CAST(unsubscribed_at AS DATE), 'unsubscribes', CAST(1 AS DECIMAL(18, 9))
  FROM shared.days_notifications
  WHERE unsubscribed_at IS NOT NULL
  UNION ALL
  SELECT customer_id, CAST(occurred_at AS DATE), 'texts', CAST(1 AS DECIMAL(18, 9))
  FROM texts
  WHERE version_rank = 1
  UNION ALL
  SELECT
    customer_id,
    CAST(occurred_at AS DATE),
    'negative_texts',
    CAST(negative AS DECIMAL(18, 9))
  FROM texts
  WHERE version_rank = 1
),
aged AS (
  SELECT
    people.customer_id,
    people.assigned_on,
    facts.measure,
    facts.amount,
    DATE_DIFF('day', people.assigned_on, facts.happened_on) AS age_days
  FROM people
  INNER JOIN facts ON facts.customer_id = people.customer_id
)
SELECT
  customer_id,
  assigned_on,
  measure,
  CAST(
    COALESCE(SUM(amount) FILTER (WHERE age_days BETWEEN 1 AND :window_days), 0) AS DOUBLE
  ) AS after_total,
  CAST(
    COALESCE(SUM(amount) FILTER (WHERE age_days BETWEEN :late_from AND :window_days), 0) AS DOUBLE
  ) AS late_total,
  CAST(
    COALESCE(SUM(amount) FILTER (WHERE age_days BETWEEN -:window_days AND -1), 0) AS DOUBLE
  ) AS before_total
FROM aged
WHERE age_days BETWEEN -:window_days AND :window_days
GROUP BY customer_id, assigned_on, measure
ORDER BY customer_id, assigned_on, measure
