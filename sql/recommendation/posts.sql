-- The posts published from :first_day to :last_day, as known by then. Only those from :text_from on
-- bring their text: older ones are not recommended, and reading a text costs time.
SELECT
  post_id,
  customer_id AS author,
  category,
  occurred_at AS published,
  CASE WHEN occurred_at >= CAST(:text_from AS TIMESTAMP) THEN text END AS text
FROM source.posts
WHERE day BETWEEN :first_day AND :last_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
  AND occurred_at < CAST(:last_day AS TIMESTAMP) + INTERVAL 1 DAY
ORDER BY post_id
