-- Complaints as they are known by :snapshot_date, also of who refuses analytics: a complaint is
-- owed an answer whatever else its author agreed to.
SELECT
  complaint_id,
  customer_id,
  occurred_at,
  category,
  about,
  resolved_at
FROM shared.any_known_complaints
ORDER BY complaint_id
