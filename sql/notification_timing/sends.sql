-- Notifications from :since_day on, as known by the end of :snapshot_date.
SELECT
  notification_id,
  customer_id,
  occurred_at,
  delay_hours,
  propensity,
  opened_at,
  unsubscribed_at
FROM shared.known_notifications
WHERE occurred_at >= CAST(:since_day AS TIMESTAMP)
ORDER BY customer_id, occurred_at, notification_id
