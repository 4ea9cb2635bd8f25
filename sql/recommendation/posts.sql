-- The posts published from :text_day on, and those of any age that were turned to from :first_day
-- to :last_day; as known by then. The older ones come without their text: they are not recommended,
-- and reading a text costs time.
WITH touched AS (
  SELECT DISTINCT post_id
  FROM shared.known_by_last_day_interactions
  WHERE day >= :first_day
)

SELECT
  post_id,
  customer_id AS author,
  category,
  occurred_at AS published,
  text
FROM shared.known_by_last_day_posts
WHERE day >= :text_day
  AND occurred_at >= CAST(:text_day AS TIMESTAMP)
UNION ALL
SELECT
  posts.post_id,
  posts.customer_id AS author,
  posts.category,
  posts.occurred_at AS published,
  NULL AS text
FROM shared.known_by_last_day_posts AS posts
JOIN touched ON touched.post_id = posts.post_id
WHERE posts.occurred_at < CAST(:text_day AS TIMESTAMP)
ORDER BY post_id
