-- What each customer of :experiment did from the assignment on, or from :since_day if that is
-- later, to :snapshot_date, as known then; and in the 90 days before the assignment. Whoever has
-- closed the account since stays in: leaving is an outcome. What describes a customer is of the
-- account's first version, which no programme can have changed. Engagement is a mean over the
-- :window_days days from :first_day on, and a customer is retained who was there on one of them:
-- both are null for those assigned later. Revenue is null where there are no transactions at all.
WITH
known AS (
  SELECT EXISTS (SELECT 1 FROM shared.known_transactions) AS transactions
),
assigned AS (
  SELECT
    customer_id,
    variant,
    propensity,
    occurred_at AS assigned_at,
    CAST(occurred_at AS TIMESTAMP) - INTERVAL 90 DAY AS known_from,
    CASE
      WHEN occurred_at > CAST(:since_day AS TIMESTAMP) THEN occurred_at
      ELSE CAST(:since_day AS TIMESTAMP)
    END AS counted_from
  FROM shared.known_experiment_assignments
  WHERE experiment = :experiment
),
accounts AS (
  SELECT
    customer_id,
    birth_date,
    gender,
    location,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY recorded_at, day) AS version
  FROM source.customers
  WHERE day <= :snapshot_date
),
visits AS (
  SELECT
    assigned.customer_id,
    assigned.variant,
    COUNT(*) FILTER (WHERE sessions.occurred_at >= assigned.counted_from) AS sessions,
    SUM(sessions.duration_seconds) FILTER (
      WHERE sessions.occurred_at >= assigned.counted_from
    ) / 60 AS session_minutes,
    MAX(sessions.occurred_at) AS last_session_at,
    COUNT(*) FILTER (
      WHERE sessions.occurred_at < assigned.assigned_at
        AND sessions.occurred_at >= assigned.known_from
    ) AS sessions_before
  FROM assigned
  INNER JOIN shared.known_sessions AS sessions ON sessions.customer_id = assigned.customer_id
  GROUP BY assigned.customer_id, assigned.variant
),
payments AS (
  SELECT
    assigned.customer_id,
    assigned.variant,
    SUM(transactions.amount_usd) FILTER (
      WHERE transactions.occurred_at >= assigned.counted_from
    ) AS revenue_usd,
    SUM(transactions.amount_usd) FILTER (
      WHERE transactions.occurred_at < assigned.assigned_at
        AND transactions.occurred_at >= assigned.known_from
    ) AS revenue_before_usd
  FROM assigned
  INNER JOIN shared.known_transactions AS transactions
    ON transactions.customer_id = assigned.customer_id
  GROUP BY assigned.customer_id, assigned.variant
),
use AS (
  SELECT
    customer_id,
    CAST(SUM(daily_engagement) AS DOUBLE) AS engagement
  FROM shared.daily_engagement
  GROUP BY customer_id
),
sends AS (
  SELECT
    assigned.customer_id,
    assigned.variant,
    COUNT(*) AS notifications
  FROM assigned
  INNER JOIN shared.known_notifications AS notifications
    ON notifications.customer_id = assigned.customer_id
  WHERE notifications.occurred_at >= assigned.counted_from
  GROUP BY assigned.customer_id, assigned.variant
),
actions AS (
  SELECT
    assigned.customer_id,
    assigned.variant,
    COUNT(*) AS actions
  FROM assigned
  INNER JOIN shared.known_action_log AS action_log
    ON action_log.customer_id = assigned.customer_id
  WHERE action_log.occurred_at >= assigned.counted_from
  GROUP BY assigned.customer_id, assigned.variant
),
offers AS (
  SELECT
    assigned.customer_id,
    assigned.variant,
    SUM(offers.cost_usd) AS offers_usd
  FROM assigned
  INNER JOIN shared.known_retention_offers AS offers
    ON offers.customer_id = assigned.customer_id
  WHERE offers.accepted_at >= assigned.counted_from
  GROUP BY assigned.customer_id, assigned.variant
)
SELECT
  assigned.customer_id,
  assigned.variant,
  assigned.propensity,
  assigned.assigned_at,
  assigned.counted_from,
  CASE
    WHEN assigned.assigned_at < CAST(:first_day AS TIMESTAMP)
      THEN CASE WHEN visits.last_session_at >= CAST(:first_day AS TIMESTAMP) THEN 1.0 ELSE 0.0 END
  END AS retained,
  CASE WHEN known.transactions THEN COALESCE(payments.revenue_usd, 0.0) END AS revenue_usd,
  CAST(COALESCE(visits.sessions, 0) AS DOUBLE) AS sessions,
  COALESCE(visits.session_minutes, 0.0) AS session_minutes,
  CASE
    WHEN assigned.assigned_at < CAST(:first_day AS TIMESTAMP)
      THEN COALESCE(use.engagement, 0.0) / :window_days
  END AS engagement,
  CAST(COALESCE(sends.notifications, 0) AS DOUBLE) AS notifications,
  CAST(COALESCE(actions.actions, 0) AS DOUBLE) AS actions,
  COALESCE(offers.offers_usd, 0.0) AS offers_usd,
  CAST(COALESCE(visits.sessions_before, 0) AS DOUBLE) AS sessions_before,
  COALESCE(payments.revenue_before_usd, 0.0) AS revenue_before_usd,
  accounts.birth_date,
  accounts.gender,
  accounts.location
FROM assigned
CROSS JOIN known
LEFT JOIN accounts ON accounts.customer_id = assigned.customer_id AND accounts.version = 1
LEFT JOIN visits
  ON visits.customer_id = assigned.customer_id AND visits.variant = assigned.variant
LEFT JOIN payments
  ON payments.customer_id = assigned.customer_id AND payments.variant = assigned.variant
LEFT JOIN use ON use.customer_id = assigned.customer_id
LEFT JOIN sends
  ON sends.customer_id = assigned.customer_id AND sends.variant = assigned.variant
LEFT JOIN actions
  ON actions.customer_id = assigned.customer_id AND actions.variant = assigned.variant
LEFT JOIN offers
  ON offers.customer_id = assigned.customer_id AND offers.variant = assigned.variant
ORDER BY assigned.customer_id, assigned.variant
