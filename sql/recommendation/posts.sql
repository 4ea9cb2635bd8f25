-- The posts published from :first_day to :last_day, as known by then. Only those from :text_from on
-- bring their text: older ones are not recommended, and reading a text costs time.
SELECT
  post_id,
  customer_id AS author,
  category,
  occurred_at AS published,
  CASE WHEN occurred_at >= CAST(:text_from AS TIMESTAMP) THEN text END AS text
FROM shared.known_by_last_day_posts
WHERE day >= :first_day
  AND occurred_at >= CAST(:first_day AS TIMESTAMP)
ORDER BY post_id
