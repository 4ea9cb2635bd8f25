-- Customers who, by all that is known up to :latest_day, agree that their texts are scored. Where
-- the source has no table of consents, :granted_by_source says what it states for all of them.
SELECT customer_id
FROM shared.latest_consents
WHERE granted AND purpose = :purpose
UNION
SELECT customer_id
FROM shared.any_known_by_latest_day_customers
WHERE :granted_by_source
