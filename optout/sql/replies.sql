-- Whom a reply concerns.

-- name: latest_messages
-- Per company the newest marketing message that had left for this address when the reply came, newest first;
-- of one company or (shared codes) of all. With `to`, only messages that showed that number or named it for replies.
-- Looks once per company through messages_to_v1; reads only.
-- A message still queued counts when its batch is being handed over: its answer can be faster than our commit.
SELECT m.company_id, m.id, m.campaign_id, coalesce(k.name, ''), m.country
FROM accounts_company c
CROSS JOIN LATERAL (
  SELECT x.company_id, x.id, x.campaign_id, x.country, coalesce(x.sent_at, b.claimed_at) AS left_at
  FROM messaging_message x JOIN messaging_batch b ON b.id = x.batch_id
  WHERE x.id IN (SELECT messages_to_v1(c.id, ARRAY[%(digest)s::bytea])) AND x.category = 'marketing'
    AND (x.status IN ('sent', 'delivered', 'failed', 'unknown') OR x.status IN ('queued', 'deferred') AND b.status = 'handing')
    AND (%(to)s = '' OR %(to)s IN (ltrim(x.reply_code, '+'), ltrim(x.sender, '+')))
    -- Providers' clocks differ from ours a little.
    AND coalesce(x.sent_at, b.claimed_at, x.created_at) <= %(received_at)s + interval '2 minutes'
  ORDER BY coalesce(x.sent_at, b.claimed_at, x.created_at) DESC, x.id DESC
  LIMIT 1) m
LEFT JOIN campaigns_campaign k ON k.id = m.campaign_id
WHERE %(company)s::bigint IS NULL OR c.id = %(company)s
ORDER BY m.left_at DESC NULLS LAST, m.id DESC;

-- name: store
-- One row per gateway and provider's id, whatever is delivered twice. No row comes back when it was known.
INSERT INTO messaging_reply (company_id, gateway_id, provider_id, sender, digest, country, "to", text, meaning,
  provider_meaning, received_at)
VALUES (%(company)s, %(gateway)s, %(provider_id)s, %(sender)s, %(digest)s, %(country)s, %(to)s, %(text)s, '',
  %(provider_meaning)s, %(received_at)s)
ON CONFLICT (gateway_id, provider_id) DO NOTHING
RETURNING id;

-- name: out_since
-- When the address was last opted out: the suppression in force, or a later STOP that found it in force.
-- one_suppression and reply_from.
SELECT greatest(
  (SELECT since FROM addressbook_suppression WHERE company_id = %(company)s AND channel = 'sms' AND digest = %(digest)s),
  (SELECT max(received_at) FROM messaging_reply
    WHERE company_id = %(owner)s AND digest = %(digest)s AND meaning = 'opt_out'));

-- name: lock_address
-- Waits for acts on the same address, as consent_opt_out does (addressbook/sql/ledger.sql). A statement of its own:
-- what is read after it sees everything that was committed before it. First consent.COVER_LOCK, then the chain.
SELECT pg_advisory_xact_lock_shared(%(company)s::int, -2), pg_advisory_xact_lock(%(company)s::int, get_byte(%(digest)s, 0) & 63);

-- name: tell
-- Whoever of the companies concerned listens for replies is told after the commit (webhooks/sql/events.sql).
SELECT webhook_event_v1(c.company, 'reply.received', %(reply)s, c.message)
FROM unnest(%(companies)s::bigint[], %(messages)s::bigint[]) AS c(company, message);

-- name: lock_replies
-- Replies from one address are read one after the other. One lock, taken before all others, in a key space of its own.
SELECT pg_advisory_xact_lock(('x' || encode(substr(%(digest)s::bytea, 1, 8), 'hex'))::bit(64)::bigint);

-- name: later_start
-- A START that was sent after this STOP, by the same provider's clock, but read before it. reply_from and event_digest.
SELECT r.id FROM messaging_reply r
WHERE r.company_id = %(owner)s AND r.digest = %(digest)s AND r.gateway_id = %(gateway)s AND r.meaning = 'opt_in'
  AND r.received_at > %(received_at)s
  AND EXISTS (SELECT FROM addressbook_consentevent e
    WHERE e.company_id = %(company)s AND e.digest = %(digest)s AND e.channel = 'sms' AND e.type = 'opt_in'
      AND e.source = 'reply' AND e.occurred_at = r.received_at)
ORDER BY r.received_at DESC LIMIT 1;
