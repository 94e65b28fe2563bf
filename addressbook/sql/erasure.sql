-- name: lock_replies
-- No reply from the person is read meanwhile: who reads one has its row, and then waits for the locks below. Before all
-- others, as there (optout/sql/replies.sql).
SELECT pg_advisory_xact_lock(('x' || encode(substr(d, 1, 8), 'hex'))::bit(64)::bigint)
FROM (SELECT unnest(%(digests)s::bytea[]) AS d ORDER BY 1) x;

-- name: lock_cover
-- Before the chains, as every opt-out takes it (consent.COVER_LOCK); the contact's row comes before both, as an upsert
-- has it. Whoever took them in another order could wait in a circle. Alone, so that no opt-out has read the contact's
-- other address before this and writes it down after.
SELECT pg_advisory_xact_lock(%(company)s::int, -2);

-- name: lock
-- The order of all acts on one address, as in ledger.sql; and whoever builds an audience of this
-- company waits (key 64), because it reads contacts that are about to go.
SELECT pg_advisory_xact_lock(%(company)s::int, key) FROM (
  SELECT DISTINCT get_byte(d, 0) & 63 AS key FROM unnest(%(digests)s::bytea[]) d
  UNION SELECT 64 ORDER BY 1) k;

-- name: find
-- The person's messages: to their addresses, and to addresses that the contact had before.
SELECT messages_to_v1(%(company)s, %(digests)s::bytea[])
UNION
SELECT m.id FROM messaging_message m WHERE m.company_id = %(company)s AND m.contact_id = %(contact)s;

-- name: hold
-- No worker claims a batch in which a message to the person waits, until this is committed.
SELECT b.id FROM messaging_batch b
WHERE b.id IN (SELECT m.batch_id FROM messaging_message m
    WHERE m.id = ANY(%(messages)s) AND m.status IN ('queued', 'deferred'))
  AND b.status IN ('queued', 'held') ORDER BY b.id FOR SHARE;

-- name: in_flight
-- What somebody is working on at this moment: a message being handed over, a reply not yet read.
SELECT EXISTS (SELECT FROM messaging_message m JOIN messaging_batch b ON b.id = m.batch_id
    WHERE m.id = ANY(%(messages)s) AND m.status IN ('queued', 'deferred') AND b.status = 'handing')
  OR EXISTS (SELECT FROM messaging_reply
    WHERE company_id = %(company)s AND digest = ANY(%(digests)s) AND read_at IS NULL);

-- name: written_as
-- Every way in which the addresses were written in messages: aliases share one digest.
SELECT DISTINCT address FROM messaging_message WHERE id = ANY(%(messages)s) AND address <> '';

-- name: messages
-- What waits is cancelled: without its address it could not be sent.
UPDATE messaging_message SET address = '', text = '', subject = '', error = '', contact_id = NULL,
  status = CASE WHEN status IN ('queued', 'deferred') THEN 'cancelled' ELSE status END
WHERE id = ANY(%(messages)s);

-- name: replies
UPDATE messaging_reply SET sender = '', text = '' WHERE company_id = %(company)s AND digest = ANY(%(digests)s);

-- name: hooks
-- What a provider told and nobody has understood: the number stands in it with or without +, written as it likes.
UPDATE messaging_hookdelivery SET body = '' WHERE company_id = %(company)s AND body <> '' AND EXISTS (
  SELECT FROM unnest(%(addresses)s::text[]) a WHERE position(convert_to(ltrim(a, '+'), 'UTF8') IN body) > 0);

-- name: handsets
DELETE FROM messaging_handsetmessage WHERE company_id = %(company)s AND "to" = ANY(%(addresses)s);

-- name: evidence
-- The ledger's lines stay as they are; what they said about the person goes.
UPDATE addressbook_evidence SET address = '', comment = '', details = '{}', erased_at = clock_timestamp()
WHERE erased_at IS NULL AND event_id IN (SELECT id FROM addressbook_consentevent
  WHERE company_id = %(company)s AND digest = ANY(%(digests)s) AND type <> 'erasure');

-- name: suppressions
UPDATE addressbook_suppression SET address = '' WHERE company_id = %(company)s AND digest = ANY(%(digests)s);

-- name: rejected_rows
-- As the address is written today, and with the same digits in any other writing.
UPDATE addressbook_rejectedrow SET cells = '[]'
WHERE company_id = %(company)s AND EXISTS (
  SELECT FROM unnest(%(addresses)s::text[]) a WHERE position(lower(a) IN lower(cells::text)) > 0
  UNION ALL
  SELECT FROM unnest(%(numbers)s::text[]) n WHERE position(n IN regexp_replace(cells::text, '[^0-9]', '', 'g')) > 0);

-- name: rejected_rows_of
-- The same rows, to be shown to the person.
SELECT r.import_run_id, i.file_name, r.line, r.cells, r.reason FROM addressbook_rejectedrow r
JOIN addressbook_import i ON i.id = r.import_run_id
WHERE r.company_id = %(company)s AND EXISTS (
  SELECT FROM unnest(%(addresses)s::text[]) a WHERE position(lower(a) IN lower(r.cells::text)) > 0
  UNION ALL
  SELECT FROM unnest(%(numbers)s::text[]) n WHERE position(n IN regexp_replace(r.cells::text, '[^0-9]', '', 'g')) > 0)
ORDER BY r.import_run_id, r.line;

-- name: contact
WITH memberships AS (DELETE FROM addressbook_groupcontact WHERE contact_id = %(contact)s)
DELETE FROM addressbook_contact WHERE company_id = %(company)s AND id = %(contact)s;

-- name: event
SELECT consent_event('erasure', %(company)s, %(source)s, %(channel)s, %(digest)s, '', %(cause)s, %(facts)s, %(evidence)s);
