-- Contacts from :earliest to the end of :snapshot_date: what the app sent by itself, and messages
-- of outboxes before :made_from, which count as sent when they became due. A notification that
-- delivers a message of the outbox names it and is not counted twice.
SELECT
  customer_id,
  'notification' AS channel,
  NULLIF('', '') AS decision,
  NULLIF('', '') AS action,
  occurred_at
FROM shared.any_known_notifications
WHERE occurred_at >= CAST(:earliest AS TIMESTAMP) AND message_id IS NULL
UNION ALL
SELECT
  customer_id,
  channel,
  decision,
  action,
  not_before AS occurred_at
FROM contact.outbox
WHERE
  day >= :earliest
  AND day < :made_from
  AND status = 'due'
ORDER BY customer_id, occurred_at, channel, decision, action
