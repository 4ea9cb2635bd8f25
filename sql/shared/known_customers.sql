-- One row for each customer known by :snapshot_date, in the version that was the latest by then.
-- Two versions recorded at the same instant are ordered by their values, so that the choice never
-- depends on the order of the rows in the files.
SELECT *
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY customer_id
      ORDER BY
        recorded_at DESC,
        signed_up_at DESC,
        birth_date DESC NULLS LAST,
        gender ASC NULLS LAST,
        location ASC NULLS LAST,
        account_type ASC NULLS LAST
    ) AS version_rank
  FROM source.customers
  WHERE day <= :snapshot_date
    AND signed_up_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
    AND recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
) AS versions
WHERE version_rank = 1
