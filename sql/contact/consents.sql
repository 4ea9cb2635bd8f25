-- Purposes that each customer agrees to, by all that is known up to :latest_day.
SELECT customer_id, purpose
FROM shared.latest_consents
WHERE granted
ORDER BY customer_id, purpose
