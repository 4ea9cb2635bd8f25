-- The posts published from :published_day on, and those of any age that were turned to from
-- :first_day to :last_day; as known by then.
SELECT
  post_id,
  customer_id AS author,
  category,
  occurred_at AS published,
  text
FROM shared.known_by_last_day_posts
WHERE occurred_at >= CAST(:published_day AS TIMESTAMP)
  OR post_id IN (
    SELECT post_id
    FROM shared.known_by_last_day_interactions
    WHERE day >= :first_day
  )
ORDER BY post_id
