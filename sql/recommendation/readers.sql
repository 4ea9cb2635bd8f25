-- How many customers turned to an item for the last time how many days before :last_day, among
-- those who did from :first_day on.
WITH latest AS (
  SELECT
    customer_id,
    MAX(occurred_at) AS used_at
  FROM shared.known_by_last_day_interactions
  WHERE day >= :first_day
    AND occurred_at >= CAST(:first_day AS TIMESTAMP)
    AND post_id IS NOT NULL
  GROUP BY customer_id
)

SELECT
  DATE_DIFF('day', CAST(used_at AS DATE), :last_day) AS days_ago,
  COUNT(*) AS readers
FROM latest
GROUP BY DATE_DIFF('day', CAST(used_at AS DATE), :last_day)
ORDER BY days_ago
