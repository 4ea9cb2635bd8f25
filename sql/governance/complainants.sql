-- Customers by the end of :snapshot_date who may be analysed, and their groups.
SELECT
  customer_id,
  gender,
  birth_date
FROM shared.known_customers
ORDER BY customer_id
