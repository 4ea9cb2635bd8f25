-- One row a visit: ratings with less than 30 minutes between them. A visit lasts from its first to
-- its last rating, and at least 30 seconds; it is known once it is over.
WITH ratings AS (
    SELECT
        "user_id:token" AS customer_id,
        CAST("timestamp:float" AS BIGINT) AS second,
        "item_id:token" AS film
    FROM read_csv(:data || '/ml-100k.inter', delim = '\t', all_varchar = true)
),

gaps AS (
    SELECT
        *,
        coalesce(
            second - lag(second) OVER (PARTITION BY customer_id ORDER BY second) > 1800, FALSE
        ) AS begins
    FROM ratings
),

visits AS (
    SELECT
        *,
        sum(CAST(begins AS INTEGER))
            OVER (PARTITION BY customer_id ORDER BY second RANGE UNBOUNDED PRECEDING) AS visit
    FROM gaps
)

SELECT
    customer_id || '/' || visit AS session_id,
    customer_id,
    to_timestamp(min(second)) AS occurred_at,
    greatest(max(second) - min(second), 30) AS duration_seconds,
    count(DISTINCT film) AS pages,
    to_timestamp(max(second)) AS recorded_at
FROM visits
GROUP BY customer_id, visit
