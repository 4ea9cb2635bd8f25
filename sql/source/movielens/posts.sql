-- One row a film, published by nobody who is a customer. All were there before the first rating:
-- the first day stands for when each was published.
SELECT
    "item_id:token" AS post_id,
    CAST('1997-09-20' AS TIMESTAMP) AS occurred_at,
    -- the first genre
    split_part("class:token_seq", ' ', 1) AS category
FROM read_csv(:data || '/ml-100k.item', delim = '\t', all_varchar = true)
