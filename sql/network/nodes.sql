-- Every customer known by the end of :snapshot_date is a node, connected or not.
SELECT customer_id
FROM shared.known_customers
ORDER BY customer_id
