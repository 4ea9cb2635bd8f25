-- Posts that happened and were recorded by the end of :snapshot_date.
SELECT
  day,
  post_id,
  customer_id,
  occurred_at,
  category
FROM source.posts
WHERE day <= :snapshot_date
  AND occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
  AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
