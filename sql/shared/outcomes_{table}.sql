-- One decision of a log a row, with the chance that it had, and what the customer did in the 7 days
-- after it: null where these are not over by the end of :snapshot_date, and revenue where there are
-- no transactions at all. Context is of the 28 days before.
WITH
known AS (
  SELECT EXISTS (SELECT 1 FROM shared.known_transactions) AS transactions
),
decisions AS (
  SELECT
    *,
    CAST(occurred_at AS TIMESTAMP) - INTERVAL 28 DAY AS known_from,
    CAST(occurred_at AS TIMESTAMP) + INTERVAL 7 DAY AS outcome_until
  FROM shared.decided_{table}
),
visits AS (
  SELECT
    decisions.decision_id,
    COUNT(*) FILTER (WHERE sessions.occurred_at > decisions.occurred_at) AS sessions,
    COUNT(*) FILTER (WHERE sessions.occurred_at <= decisions.occurred_at) AS sessions_before
  FROM decisions
  INNER JOIN shared.known_sessions AS sessions
    ON sessions.customer_id = decisions.customer_id
    AND sessions.occurred_at > decisions.known_from
    AND sessions.occurred_at < decisions.outcome_until
  GROUP BY decisions.decision_id
),
payments AS (
  SELECT
    decisions.decision_id,
    SUM(transactions.amount_usd) FILTER (
      WHERE transactions.occurred_at > decisions.occurred_at
    ) AS revenue_usd,
    SUM(transactions.amount_usd) FILTER (
      WHERE transactions.occurred_at <= decisions.occurred_at
    ) AS revenue_before_usd
  FROM decisions
  INNER JOIN shared.known_transactions AS transactions
    ON transactions.customer_id = decisions.customer_id
    AND transactions.occurred_at > decisions.known_from
    AND transactions.occurred_at < decisions.outcome_until
  GROUP BY decisions.decision_id
),
ended AS (
  SELECT
    decision_id,
    outcome_until <= CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY AS week_is_over
  FROM decisions
)
SELECT
  decisions.decision_id,
  decisions.customer_id,
  decisions.occurred_at,
  decisions.action,
  decisions.propensity,
  CASE
    WHEN ended.week_is_over AND known.transactions THEN COALESCE(payments.revenue_usd, 0.0)
  END AS revenue_usd,
  CASE
    WHEN ended.week_is_over THEN CAST(COALESCE(visits.sessions, 0) AS DOUBLE)
  END AS sessions,
  CAST(COALESCE(visits.sessions_before, 0) AS DOUBLE) AS sessions_before,
  COALESCE(payments.revenue_before_usd, 0.0) AS revenue_before_usd
FROM decisions
CROSS JOIN known
INNER JOIN ended ON ended.decision_id = decisions.decision_id
LEFT JOIN visits ON visits.decision_id = decisions.decision_id
LEFT JOIN payments ON payments.decision_id = decisions.decision_id
