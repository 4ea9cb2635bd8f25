-- How old items were when a customer turned to them for the first time, from :first_day to
-- :last_day, as known by then: days since publication, or since anybody's first use where that is
-- not known.
WITH first_uses AS (
  SELECT
    customer_id,
    post_id,
    MIN(occurred_at) AS used_at
  FROM shared.known_by_last_day_interactions
  WHERE day >= :first_day
    AND occurred_at >= CAST(:first_day AS TIMESTAMP)
    AND post_id IS NOT NULL
  GROUP BY customer_id, post_id
),

published AS (
  SELECT
    post_id,
    MIN(occurred_at) AS published_at
  FROM shared.known_by_last_day_posts
  GROUP BY post_id
),

begun AS (
  SELECT
    post_id,
    MIN(used_at) AS begun_at
  FROM first_uses
  GROUP BY post_id
),

aged AS (
  SELECT
    DATE_DIFF(
      'day', COALESCE(published.published_at, begun.begun_at), first_uses.used_at
    ) AS age_days
  FROM first_uses
  JOIN begun ON begun.post_id = first_uses.post_id
  LEFT JOIN published ON published.post_id = first_uses.post_id
  -- that an item has age 0 at its very first use says nothing
  WHERE published.published_at IS NOT NULL OR first_uses.used_at > begun.begun_at
)

SELECT
  age_days,
  COUNT(*) AS uses
FROM aged
GROUP BY age_days
ORDER BY age_days
