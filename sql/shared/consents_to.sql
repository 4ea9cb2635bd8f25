-- The latest statement of each customer on :purpose, by all that is known up to :latest_day.
SELECT customer_id, granted
FROM shared.latest_consents
WHERE purpose = :purpose
ORDER BY customer_id
