-- Who turned to which post from :first_day to :last_day, as known by then.
SELECT
  customer_id,
  post_id,
  kind,
  occurred_at
FROM source.interactions
WHERE day BETWEEN :first_day AND :last_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
  AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
  AND post_id IS NOT NULL
ORDER BY occurred_at, customer_id, post_id
