-- Customers who agree by :latest_day that their texts are scored.
SELECT customer_id
FROM shared.sentiment_opt_ins
ORDER BY customer_id
