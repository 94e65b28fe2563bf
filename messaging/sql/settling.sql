-- What a delivery report changes.

-- name: by_id
-- Our own reference. The batch says through which gateway it went: another one's report is not believed.
SELECT m.id FROM messaging_message m JOIN messaging_batch b ON b.id = m.batch_id
WHERE m.id = %(message)s AND m.company_id = %(company)s AND b.gateway_id = %(gateway)s;

-- name: by_provider_id
-- Index message_provider_id.
SELECT m.id FROM messaging_message m JOIN messaging_batch b ON b.id = m.batch_id
WHERE m.company_id = %(company)s AND m.provider_id = %(provider_id)s AND m.provider_id <> '' AND b.gateway_id = %(gateway)s
ORDER BY m.id DESC LIMIT 1;

-- name: by_address
-- The answer with its id never came, and the provider knows no reference of ours: the one message to this address that
-- may have been taken. With two of them nobody can tell. Found by addressbook/sql/addressed.sql.
SELECT min(m.id) FROM messaging_message m JOIN messaging_batch b ON b.id = m.batch_id
WHERE m.id IN (SELECT messages_to_v1(%(company)s, ARRAY[%(digest)s::bytea])) AND b.gateway_id = %(gateway)s
  AND m.status = 'unknown' AND m.provider_id = '' AND m.created_at > clock_timestamp() - interval '3 days'
HAVING count(*) = 1;

-- name: settle
-- Forward only, as message_transition (messages.sql) insists. A message that waits to be tried again was taken after all:
-- it is not handed over a second time. One that is being handed over right now belongs to its worker.
UPDATE messaging_message m SET status = %(status)s, error = %(error)s,
  provider_id = CASE WHEN m.provider_id = '' THEN %(provider_id)s ELSE m.provider_id END,
  sent_at = coalesce(m.sent_at, clock_timestamp()),
  delivered_at = CASE WHEN %(status)s = 'delivered' THEN coalesce(m.delivered_at, clock_timestamp()) END
FROM messaging_batch b
WHERE m.id = %(message)s AND b.id = m.batch_id
  AND ((m.status, %(status)s) IN (('sent', 'delivered'), ('sent', 'failed'), ('failed', 'delivered'),
      ('unknown', 'sent'), ('unknown', 'delivered'), ('unknown', 'failed'))
    OR m.status IN ('queued', 'deferred') AND %(status)s <> 'failed' AND b.status IN ('queued', 'held'));

-- name: where
SELECT m.status, b.status FROM messaging_message m JOIN messaging_batch b ON b.id = m.batch_id WHERE m.id = %(message)s;
