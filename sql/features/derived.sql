-- Features that combine several tables or need a formula of their own, as known by :snapshot_date.
-- The trend is over :first_day to :last_day, the 7 days that end with :snapshot_date.
-- Sentiment and centrality come from the partitions of :snapshot_date of `sentiment.customer` and
-- `network.metrics` and are null until there is one.
WITH
known AS (
  SELECT
    EXISTS (SELECT 1 FROM shared.known_job_ratings)
    OR EXISTS (SELECT 1 FROM shared.known_reviews) AS ratings_or_reviews,
    EXISTS (SELECT 1 FROM shared.known_referrals) AS referrals
),
-- Shannon entropy in nats: H = ln N - sum(n ln n) / N over the n views of each category
category_views AS (
  SELECT
    interactions.customer_id,
    posts.category,
    COUNT(*) AS views
  FROM shared.month_interactions AS interactions
  INNER JOIN shared.known_posts AS posts ON posts.post_id = interactions.post_id
  WHERE interactions.kind = 'view'
    AND posts.category IS NOT NULL
  GROUP BY interactions.customer_id, posts.category
),
diversity AS (
  SELECT
    customer_id,
    LN(CAST(SUM(views) AS DOUBLE))
    - CAST(SUM(CAST(views * LN(CAST(views AS DOUBLE)) AS DECIMAL(28, 9))) AS DOUBLE)
    / CAST(SUM(views) AS DOUBLE) AS entropy
  FROM category_views
  GROUP BY customer_id
),
login_hours AS (
  SELECT
    customer_id,
    CAST(occurred_at AS DATE) AS login_on,
    EXTRACT(HOUR FROM occurred_at) AS hour_of_day,
    COUNT(*) AS logins
  FROM shared.month_sessions
  GROUP BY customer_id, CAST(occurred_at AS DATE), EXTRACT(HOUR FROM occurred_at)
),
-- Regularity of login days. The 30 days are laid in a circle and the days with a login cut it
-- into gaps; sum(gap^2) is 30 with a login every day and 900 with a single one. The score is
-- 1 - (sum(gap^2) - 30) / 870: how short the gap is in which an average day falls. One more
-- login day, or the same number spread more evenly, always raises it.
login_days AS (
  SELECT DISTINCT customer_id, login_on
  FROM login_hours
),
gaps AS (
  SELECT
    customer_id,
    DATE_DIFF(
      'day',
      LAG(login_on) OVER (PARTITION BY customer_id ORDER BY login_on),
      login_on
    ) AS gap
  FROM login_days
),
edges AS (
  SELECT
    customer_id,
    30 - DATE_DIFF('day', MIN(login_on), MAX(login_on)) AS gap
  FROM login_days
  GROUP BY customer_id
),
consistency AS (
  SELECT
    customer_id,
    1 - (CAST(SUM(gap * gap) AS DOUBLE) - 30) / 870 AS score
  FROM (
    SELECT customer_id, gap
    FROM gaps
    WHERE gap IS NOT NULL
    UNION ALL
    SELECT customer_id, gap
    FROM edges
  ) AS all_gaps
  GROUP BY customer_id
),
ranked_hours AS (
  SELECT
    customer_id,
    hour_of_day,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id
      ORDER BY SUM(logins) DESC, hour_of_day ASC
    ) AS hour_rank
  FROM login_hours
  GROUP BY customer_id, hour_of_day
),
peak_hours AS (
  SELECT customer_id, hour_of_day
  FROM ranked_hours
  WHERE hour_rank = 1
),
-- Least-squares slope over x = -3 .. 3: sum(x y) / 28. A day without use is y = 0 and adds nothing.
trend AS (
  SELECT
    customer_id,
    CAST(
      SUM((DATE_DIFF('day', :snapshot_date, used_on) + 3) * daily_engagement) AS DOUBLE
    ) / 28 AS slope
  FROM shared.daily_engagement
  GROUP BY customer_id
),
-- Of a rating and of punctuality the mean on a 0-1 scale, pulled towards 0.5 by two imagined
-- ratings: (sum + 1) / (n + 2), so that one rating does not make or break a name.
ratings AS (
  SELECT
    customer_id,
    (CAST(SUM(rating - 1) AS DOUBLE) / 4 + 1) / (COUNT(rating) + 2) AS rating_part,
    CAST(COUNT(*) FILTER (WHERE on_time) + 1 AS DOUBLE) / (COUNT(on_time) + 2) AS on_time_part
  FROM shared.known_job_ratings
  GROUP BY customer_id
),
-- the latest review holds; of two at the same instant the one that confirms fraud
last_reviews AS (
  SELECT customer_id, confirmed_fraud
  FROM (
    SELECT
      customer_id,
      confirmed_fraud,
      ROW_NUMBER() OVER (
        PARTITION BY customer_id
        ORDER BY occurred_at DESC, CASE WHEN confirmed_fraud THEN 0 ELSE 1 END ASC
      ) AS review_rank
    FROM shared.known_reviews
  ) AS ranked
  WHERE review_rank = 1
),
replies AS (
  SELECT
    recipient_id AS customer_id,
    CAST(SUM(DATE_DIFF('millisecond', occurred_at, replied_at)) AS DOUBLE)
    / 3600000
    / COUNT(*) AS hours
  FROM shared.month_messages
  WHERE replied_at >= occurred_at
  GROUP BY recipient_id
),
referrals AS (
  SELECT customer_id, COUNT(DISTINCT referred_customer_id) AS referral_count
  FROM shared.known_referrals
  GROUP BY customer_id
)
SELECT
  customers.customer_id,
  :snapshot_date AS snapshot_date,
  sentiment.avg_sentiment_score,
  centrality.eigenvector_centrality AS network_centrality,
  -- never below 0 by rounding
  ROUND(CASE WHEN diversity.entropy < 0 THEN 0 ELSE diversity.entropy END, 6)
    AS content_diversity_score,
  ROUND(COALESCE(consistency.score, 0), 6) AS session_consistency_score,
  ROUND(COALESCE(trend.slope, 0), 6) AS last_7_day_engagement_trend,
  -- 0.3 for tenure, 0.4 for ratings, 0.3 for punctuality; nothing after a confirmed fraud
  CASE
    WHEN NOT known.ratings_or_reviews THEN NULL
    WHEN COALESCE(last_reviews.confirmed_fraud, FALSE) THEN 0
    ELSE ROUND(
      0.3 * (
        1 - EXP(
          -CAST(
            DATE_DIFF('day', CAST(customers.signed_up_at AS DATE), :snapshot_date) AS DOUBLE
          ) / 180
        )
      )
      + 0.4 * COALESCE(ratings.rating_part, 0.5)
      + 0.3 * COALESCE(ratings.on_time_part, 0.5),
      6
    )
  END AS trust_score,
  ROUND(replies.hours, 6) AS response_time_avg_hours,
  CAST(peak_hours.hour_of_day AS BIGINT) AS peak_activity_hour,
  CASE WHEN known.referrals THEN COALESCE(referrals.referral_count, 0) END AS referral_count
FROM shared.known_customers AS customers
CROSS JOIN known
LEFT JOIN sentiment.customer AS sentiment
  ON sentiment.customer_id = customers.customer_id AND sentiment.day = :snapshot_date
LEFT JOIN network.metrics AS centrality
  ON centrality.customer_id = customers.customer_id AND centrality.day = :snapshot_date
LEFT JOIN diversity ON diversity.customer_id = customers.customer_id
LEFT JOIN consistency ON consistency.customer_id = customers.customer_id
LEFT JOIN peak_hours ON peak_hours.customer_id = customers.customer_id
LEFT JOIN trend ON trend.customer_id = customers.customer_id
LEFT JOIN ratings ON ratings.customer_id = customers.customer_id
LEFT JOIN last_reviews ON last_reviews.customer_id = customers.customer_id
LEFT JOIN replies ON replies.customer_id = customers.customer_id
LEFT JOIN referrals ON referrals.customer_id = customers.customer_id
ORDER BY customers.customer_id
