-- Who turned to which post from :first_day to :last_day, as known by then.
SELECT
  customer_id,
  post_id,
  kind,
  occurred_at
FROM shared.known_by_last_day_interactions
WHERE day >= :first_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
  AND post_id IS NOT NULL
ORDER BY occurred_at, customer_id, post_id
