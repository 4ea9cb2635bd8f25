-- Who met what an experiment tests on :earliest or later, as known by the end of :snapshot_date:
-- one row an experiment and customer. Who was assigned before :earliest is left out, as among the
-- assignments; who was never assigned has no variant.
WITH
assigned AS (
  SELECT
    experiment,
    customer_id,
    variant,
    assigned_at
  FROM experiments.assignments
  WHERE day = :snapshot_date AND variant_rank = 1
),
earlier AS (
  SELECT DISTINCT experiment, customer_id
  FROM shared.known_experiment_assignments
  WHERE occurred_at < CAST(:earliest AS TIMESTAMP)
),
exposures AS (
  SELECT
    experiment,
    customer_id,
    MIN(occurred_at) AS first_exposed_at,
    COUNT(*) AS exposures
  FROM shared.known_experiment_exposures
  WHERE occurred_at >= CAST(:earliest AS TIMESTAMP)
  GROUP BY experiment, customer_id
)
SELECT
  exposures.experiment,
  exposures.customer_id,
  :snapshot_date AS snapshot_date,
  assigned.variant,
  assigned.assigned_at,
  exposures.first_exposed_at,
  exposures.exposures
FROM exposures
LEFT JOIN assigned
  ON
    assigned.experiment = exposures.experiment
    AND assigned.customer_id = exposures.customer_id
LEFT JOIN earlier
  ON
    earlier.experiment = exposures.experiment
    AND earlier.customer_id = exposures.customer_id
WHERE assigned.customer_id IS NOT NULL OR earlier.customer_id IS NULL
ORDER BY exposures.experiment, exposures.customer_id
