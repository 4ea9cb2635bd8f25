-- One row a person of the log, and a second one once the log first tells where they are. The log
-- has no accounts: the first event stands for the sign-up, so that tenure is a lower bound. The
-- region is the first one stated, recorded when it was, and never one from later on.
WITH log AS (
    SELECT
        personId AS customer_id,
        to_timestamp(CAST(timestamp AS BIGINT)) AS moment,
        userCountry || CASE WHEN userRegion <> '?' THEN '-' || userRegion ELSE '' END AS region
    FROM read_csv(:data || '/users_interactions.csv.gz', all_varchar = true)
),

people AS (
    SELECT
        customer_id,
        min(moment) AS signed_up_at,
        min(moment) FILTER (WHERE region IS NOT NULL) AS region_stated_at,
        arg_min(region, moment) FILTER (WHERE region IS NOT NULL) AS region
    FROM log
    GROUP BY customer_id
)

SELECT
    customer_id,
    signed_up_at,
    CASE WHEN region_stated_at = signed_up_at THEN region END AS location,
    signed_up_at AS recorded_at
FROM people
UNION ALL
SELECT customer_id, signed_up_at, region, region_stated_at
FROM people
WHERE region_stated_at > signed_up_at
