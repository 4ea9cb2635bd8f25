-- Customers whose latest statement on analytics is a refusal, by all that the lake holds now: who
-- withdraws is in no table that is made from then on, of whichever day. Statements of accounts that
-- were merged count together; a refusal wins over a consent of the same instant.
WITH RECURSIVE
merges AS (
  SELECT merged_id, customer_id FROM source.customer_merges WHERE merged_id <> customer_id
),
chains AS (
  SELECT merged_id, customer_id FROM merges
  UNION
  SELECT chains.merged_id, merges.customer_id
  FROM chains
  INNER JOIN merges ON merges.merged_id = chains.customer_id
),
statements AS (
  SELECT customer_id, granted, occurred_at
  FROM source.consents
  WHERE purpose = 'analytics' AND (withdrawn_at IS NULL OR NOT granted)
),
people AS (
  SELECT customer_id, granted, occurred_at FROM statements
  UNION ALL
  SELECT chains.customer_id, statements.granted, statements.occurred_at
  FROM statements
  INNER JOIN chains ON chains.merged_id = statements.customer_id
),
ranked AS (
  SELECT
    customer_id,
    granted,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id
      ORDER BY occurred_at DESC, CASE WHEN granted THEN 1 ELSE 0 END ASC
    ) AS statement_rank
  FROM people
)
SELECT customer_id
FROM ranked
WHERE statement_rank = 1 AND NOT granted
