-- One row a rating: of 4 or 5 stars a like, of fewer a view.
SELECT
    concat_ws('/', "user_id:token", "item_id:token") AS interaction_id,
    "user_id:token" AS customer_id,
    "item_id:token" AS post_id,
    CASE WHEN CAST("rating:float" AS DOUBLE) >= 4 THEN 'like' ELSE 'view' END AS kind,
    to_timestamp(CAST("timestamp:float" AS BIGINT)) AS occurred_at
FROM read_csv(:data || '/ml-100k.inter', delim = '\t', all_varchar = true)
