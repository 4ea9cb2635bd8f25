-- Texts that became known from :first_day to :last_day, of customers who agreed to sentiment by the
-- end of the text's day and still agree by :latest_day. No other text leaves this query.
WITH
opt_ins AS (
  SELECT customer_id FROM shared.sentiment_opt_ins
),
texts AS (
  SELECT day, 'posts' AS source_table, post_id AS row_id, customer_id, occurred_at, text
  FROM source.posts
  UNION ALL
  SELECT day, 'interactions', interaction_id, customer_id, occurred_at, text
  FROM source.interactions
  UNION ALL
  SELECT day, 'messages', message_id, customer_id, occurred_at, text
  FROM source.messages
),
written AS (
  SELECT *
  FROM texts
  WHERE day BETWEEN :first_day AND :last_day
    AND text IS NOT NULL
    AND customer_id IN (SELECT customer_id FROM opt_ins)
),
writers AS (
  SELECT DISTINCT day, customer_id
  FROM written
),
-- what each of them had last said by the end of the day
consents AS (
  SELECT
    writers.day,
    writers.customer_id,
    consents.granted,
    ROW_NUMBER() OVER (
      PARTITION BY writers.day, writers.customer_id
      ORDER BY consents.occurred_at DESC, CASE WHEN consents.granted THEN 1 ELSE 0 END ASC
    ) AS consent_rank
  FROM writers
  INNER JOIN source.consents AS consents
    ON
      consents.customer_id = writers.customer_id
      AND consents.day <= writers.day
      AND consents.occurred_at < CAST(writers.day AS TIMESTAMP) + INTERVAL 1 DAY
  WHERE consents.purpose = :purpose
)
SELECT
  written.day AS recorded_on,
  written.source_table,
  written.row_id,
  written.customer_id,
  written.occurred_at,
  written.text
FROM written
LEFT JOIN consents
  ON
    consents.day = written.day
    AND consents.customer_id = written.customer_id
    AND consents.consent_rank = 1
WHERE COALESCE(consents.granted, :granted_by_source)
ORDER BY written.day, written.source_table, written.row_id
