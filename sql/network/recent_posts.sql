-- Posts made from :first_day on and known by the end of :snapshot_date.
SELECT
  post_id,
  customer_id,
  occurred_at
FROM shared.known_posts
WHERE day >= :first_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
ORDER BY post_id
