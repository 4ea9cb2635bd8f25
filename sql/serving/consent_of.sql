-- The latest statement of one customer, :customer_id, on :purpose, by all that is known up to
-- :latest_day.
SELECT customer_id, granted
FROM shared.latest_consents
WHERE customer_id = :customer_id AND purpose = :purpose
ORDER BY customer_id
