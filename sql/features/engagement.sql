-- How much each customer used the app in the 30 days that end with :snapshot_date.
-- A count is 0 for a customer without rows, and null for everybody while its table has no row
-- known by then: unknown is not zero.
WITH
known AS (
  SELECT
    EXISTS (SELECT 1 FROM shared.known_messages) AS messages,
    EXISTS (SELECT 1 FROM shared.known_posts) AS posts,
    EXISTS (SELECT 1 FROM shared.known_interactions) AS interactions,
    EXISTS (SELECT 1 FROM shared.known_event_joins) AS event_joins,
    EXISTS (SELECT 1 FROM shared.known_premium_usage) AS premium_usage
),
sessions AS (
  SELECT
    customer_id,
    COUNT(*) AS logins_month,
    COUNT(DISTINCT CAST(occurred_at AS DATE)) AS active_days_month,
    CAST(SUM(CAST(duration_seconds AS DECIMAL(18, 3))) AS DOUBLE) / 60 AS minutes
  FROM shared.month_sessions
  GROUP BY customer_id
),
-- the whole history, so that a long absence keeps its length
last_logins AS (
  SELECT
    customer_id,
    MAX(occurred_at) AS last_login_at
  FROM shared.known_sessions
  GROUP BY customer_id
),
messages AS (
  SELECT
    customer_id,
    recipient_id
  FROM shared.month_messages
),
sent AS (
  SELECT customer_id, COUNT(*) AS messages_sent_month
  FROM messages
  GROUP BY customer_id
),
received AS (
  SELECT recipient_id AS customer_id, COUNT(*) AS messages_received_month
  FROM messages
  GROUP BY recipient_id
),
posts AS (
  SELECT customer_id, COUNT(*) AS posts_month
  FROM shared.month_posts
  GROUP BY customer_id
),
views AS (
  SELECT customer_id, COUNT(*) AS content_views_month
  FROM shared.month_interactions
  WHERE kind = 'view'
  GROUP BY customer_id
),
event_joins AS (
  SELECT customer_id, COUNT(*) AS events_joined_month
  FROM shared.month_event_joins
  GROUP BY customer_id
),
-- no row, no rate: a customer who was sent nothing has neither a good nor a bad one
notifications AS (
  SELECT
    customer_id,
    CAST(COUNT(opened_at) AS DOUBLE) / COUNT(*) AS open_rate
  FROM shared.month_notifications
  GROUP BY customer_id
),
premium AS (
  SELECT customer_id, COUNT(DISTINCT feature) AS premium_features_used_count
  FROM shared.month_premium_usage
  GROUP BY customer_id
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  COALESCE(sessions.logins_month, 0) AS logins_month,
  COALESCE(sessions.active_days_month, 0) AS active_days_month,
  CAST(
    DATE_DIFF('day', CAST(last_logins.last_login_at AS DATE), :snapshot_date) AS BIGINT
  ) AS days_since_last_login,
  ROUND(sessions.minutes / sessions.logins_month, 6) AS session_duration_avg_minutes,
  COALESCE(ROUND(sessions.minutes, 6), 0) AS session_minutes_month,
  CASE
    WHEN known.messages THEN COALESCE(sent.messages_sent_month, 0)
  END AS messages_sent_month,
  CASE
    WHEN known.messages THEN COALESCE(received.messages_received_month, 0)
  END AS messages_received_month,
  CASE WHEN known.posts THEN COALESCE(posts.posts_month, 0) END AS posts_month,
  CASE
    WHEN known.interactions THEN COALESCE(views.content_views_month, 0)
  END AS content_views_month,
  CASE
    WHEN known.event_joins THEN COALESCE(event_joins.events_joined_month, 0)
  END AS events_joined_month,
  ROUND(notifications.open_rate, 6) AS notification_open_rate_month,
  CASE
    WHEN known.premium_usage THEN COALESCE(premium.premium_features_used_count, 0)
  END AS premium_features_used_count
FROM shared.known_customers AS customers
CROSS JOIN known
LEFT JOIN sessions ON sessions.customer_id = customers.customer_id
LEFT JOIN last_logins ON last_logins.customer_id = customers.customer_id
LEFT JOIN sent ON sent.customer_id = customers.customer_id
LEFT JOIN received ON received.customer_id = customers.customer_id
LEFT JOIN posts ON posts.customer_id = customers.customer_id
LEFT JOIN views ON views.customer_id = customers.customer_id
LEFT JOIN event_joins ON event_joins.customer_id = customers.customer_id
LEFT JOIN notifications ON notifications.customer_id = customers.customer_id
LEFT JOIN premium ON premium.customer_id = customers.customer_id
ORDER BY customers.customer_id
