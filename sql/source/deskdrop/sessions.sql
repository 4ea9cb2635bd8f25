-- One row a visit. A session id of the log lives for up to a day with hours of silence in it, so a
-- visit ends, as is usual in web analytics, with 30 minutes without an event. The log does not say
-- how long the last page was read: a visit lasts from its first to its last event, and at least 30
-- seconds. What a visit was is known once it is over: `recorded_at` is its last event.
-- Impressions, clicks and scroll depth are not in the log.
WITH log AS (
    SELECT
        sessionId AS log_session,
        personId AS customer_id,
        CAST(timestamp AS BIGINT) AS second,
        eventType AS event,
        contentId AS content,
        CASE
            WHEN userAgent LIKE '%iPad%' THEN 'tablet'
            WHEN regexp_matches(userAgent, 'Native Mobile App|iPhone|Android|Mobile') THEN 'mobile'
            WHEN userAgent IS NOT NULL THEN 'desktop'
        END AS device
    FROM read_csv(:data || '/users_interactions.csv.gz', all_varchar = true)
),

gaps AS (
    SELECT
        *,
        coalesce(
            second - lag(second) OVER (PARTITION BY customer_id, log_session ORDER BY second)
            > 1800,
            FALSE
        ) AS begins
    FROM log
),

visits AS (
    SELECT
        *,
        sum(CAST(begins AS INTEGER))
            OVER (PARTITION BY customer_id, log_session ORDER BY second RANGE UNBOUNDED PRECEDING)
            AS visit
    FROM gaps
)

SELECT
    log_session || '/' || visit AS session_id,
    customer_id,
    to_timestamp(min(second)) AS occurred_at,
    greatest(max(second) - min(second), 30) AS duration_seconds,
    min(device) AS device,
    count(DISTINCT content) FILTER (WHERE event = 'VIEW') AS pages,
    to_timestamp(max(second)) AS recorded_at
FROM visits
GROUP BY log_session, customer_id, visit
