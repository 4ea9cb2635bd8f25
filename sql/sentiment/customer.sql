-- What each customer's texts from :first_day to :snapshot_date say together, of those who still
-- agree by :latest_day. The trend is the least-squares slope over the days of writing, times 30.
WITH
opt_ins AS (
  SELECT customer_id FROM shared.sentiment_opt_ins
),
-- texts that hold, under the customer who has their history
texts AS (
  SELECT 'posts/' || post_id AS text_id, customer_id
  FROM shared.known_posts
  WHERE occurred_at >= CAST(:first_day AS TIMESTAMP) AND text IS NOT NULL
  UNION ALL
  SELECT 'interactions/' || interaction_id, customer_id
  FROM shared.known_interactions
  WHERE occurred_at >= CAST(:first_day AS TIMESTAMP) AND text IS NOT NULL
  UNION ALL
  SELECT 'messages/' || message_id, customer_id
  FROM shared.known_messages
  WHERE occurred_at >= CAST(:first_day AS TIMESTAMP) AND text IS NOT NULL
),
versions AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY text_id ORDER BY day DESC) AS version_rank
  FROM sentiment.scores
  WHERE day BETWEEN :first_day AND :snapshot_date
),
scored AS (
  SELECT
    texts.customer_id,
    versions.occurred_at,
    versions.score,
    versions.p_negative,
    versions.p_neutral,
    versions.p_positive,
    CAST(
      DATE_DIFF('day', CAST(versions.occurred_at AS DATE), :snapshot_date) AS DOUBLE
    ) AS age_days
  FROM versions
  INNER JOIN texts ON texts.text_id = versions.text_id
  WHERE versions.version_rank = 1
    AND versions.occurred_at >= CAST(:first_day AS TIMESTAMP)
    AND versions.occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
    AND versions.score IS NOT NULL
    AND versions.customer_id IN (SELECT customer_id FROM opt_ins)
)
SELECT
  customer_id,
  ROUND(AVG(score), 6) AS avg_sentiment_score,
  CASE
    WHEN COUNT(*) * SUM(age_days * age_days) - SUM(age_days) * SUM(age_days) > 0
      THEN ROUND(
        -30 * (COUNT(*) * SUM(age_days * score) - SUM(age_days) * SUM(score))
        / (COUNT(*) * SUM(age_days * age_days) - SUM(age_days) * SUM(age_days)),
        6
      )
  END AS sentiment_trend_month,
  CAST(
    COUNT(*) FILTER (WHERE p_negative > p_neutral AND p_negative > p_positive) AS DOUBLE
  ) / COUNT(*) AS negative_share,
  COUNT(*) AS texts_scored,
  MAX(occurred_at) AS last_text_at
FROM scored
GROUP BY customer_id
ORDER BY customer_id
