-- Who each customer known by :snapshot_date is, in the version of the customer known by then.
-- Age is in whole years on :snapshot_date (someone born on 29 February turns a year older on
-- 1 March in other years); a birth date that gives an age outside 0 to 120 counts as unknown.
WITH
customers AS (
  SELECT
    customer_id,
    signed_up_at,
    gender,
    location,
    account_type,
    EXTRACT(YEAR FROM :snapshot_date)
    - EXTRACT(YEAR FROM birth_date)
    - CASE
        WHEN EXTRACT(MONTH FROM :snapshot_date) * 100 + EXTRACT(DAY FROM :snapshot_date)
          < EXTRACT(MONTH FROM birth_date) * 100 + EXTRACT(DAY FROM birth_date) THEN 1
        ELSE 0
      END AS years
  FROM shared.known_customers
)
SELECT
  customer_id,
  :snapshot_date AS snapshot_date,
  CAST(CASE WHEN years BETWEEN 0 AND 120 THEN years END AS BIGINT) AS age,
  gender,
  location,
  account_type,
  CAST(DATE_DIFF('day', CAST(signed_up_at AS DATE), :snapshot_date) AS BIGINT) AS tenure_days
FROM customers
ORDER BY customer_id
