-- Which customer was given which variant of which experiment on :earliest or later, as known by the
-- end of :snapshot_date: one row an experiment, customer and variant, in the order in which they
-- were given. Only the first counts; a second one says that the assignment was changed midway, and
-- the customer who has the history of two accounts may have one of each.
WITH
-- every version that was delivered, since the latest one hides that there was another
versions AS (
  SELECT
    versions.experiment,
    COALESCE(merged.customer_id, versions.customer_id) AS customer_id,
    versions.variant,
    versions.propensity,
    versions.occurred_at,
    versions.recorded_at
  FROM source.experiment_assignments AS versions
  LEFT JOIN shared.merged_customers_by_snapshot_date AS merged
    ON merged.merged_id = versions.customer_id
  WHERE versions.day <= :snapshot_date
    AND versions.occurred_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
    AND versions.recorded_at < CAST(:snapshot_date AS TIMESTAMP) + INTERVAL 1 DAY
),
-- without those that were withdrawn
known AS (
  SELECT DISTINCT experiment, customer_id
  FROM shared.known_experiment_assignments
),
firsts AS (
  SELECT
    versions.*,
    ROW_NUMBER() OVER (
      PARTITION BY versions.experiment, versions.customer_id, versions.variant
      ORDER BY versions.occurred_at ASC, versions.recorded_at ASC
    ) AS version_rank
  FROM versions
  INNER JOIN known
    ON known.experiment = versions.experiment AND known.customer_id = versions.customer_id
),
ranked AS (
  SELECT
    experiment,
    customer_id,
    variant,
    propensity,
    occurred_at AS assigned_at,
    ROW_NUMBER() OVER (
      PARTITION BY experiment, customer_id
      ORDER BY occurred_at ASC, recorded_at ASC, variant ASC
    ) AS variant_rank,
    MIN(occurred_at) OVER (PARTITION BY experiment, customer_id) AS first_at
  FROM firsts
  WHERE version_rank = 1
)
SELECT
  experiment,
  customer_id,
  :snapshot_date AS snapshot_date,
  variant,
  variant_rank,
  assigned_at,
  propensity
FROM ranked
WHERE first_at >= CAST(:earliest AS TIMESTAMP)
ORDER BY experiment, customer_id, variant_rank
