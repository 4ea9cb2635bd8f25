-- Customers whose latest statement on analytics, or on :purpose, is a refusal, by all that is known
-- up to :latest_day.
SELECT customer_id, 'analytics' AS purpose
FROM shared.withheld_analytics
UNION ALL
SELECT customer_id, purpose
FROM shared.latest_consents
WHERE purpose = :purpose AND NOT granted
ORDER BY customer_id, purpose
