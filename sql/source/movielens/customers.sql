-- One row a person: the first rating stands for the sign-up. Only the age is known, so the birth
-- date is the year's middle, at most half a year off.
WITH ratings AS (
    SELECT "user_id:token" AS customer_id, min("timestamp:float") AS first_rating
    FROM read_csv(:data || '/ml-100k.inter', delim = '\t', all_varchar = true)
    GROUP BY 1
)

SELECT
    customer_id,
    to_timestamp(CAST(first_rating AS BIGINT)) AS signed_up_at,
    make_date(
        year(to_timestamp(CAST(first_rating AS BIGINT))) - CAST("age:token" AS INTEGER), 7, 1
    ) AS birth_date,
    CASE "gender:token" WHEN 'M' THEN 'male' WHEN 'F' THEN 'female' ELSE "gender:token" END
        AS gender,
    -- the first digit of a zip code is a part of the country
    left("zip_code:token", 1) AS location,
    "occupation:token" AS account_type
FROM ratings
JOIN read_csv(:data || '/ml-100k.user', delim = '\t', all_varchar = true) AS people
    ON people."user_id:token" = ratings.customer_id
