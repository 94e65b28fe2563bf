-- name: people
-- Everybody in the groups, each with the one reason why nothing goes there (empty: a message goes). Counting and
-- writing read the same, so what is promised is what is written.
SELECT c.id, c.{field} AS address, c.{digest} AS digest, c.country,
  coalesce(nullif(c.language, ''), nullif(d.language, ''), %(language)s) AS language,
  coalesce(d.sender, %(sender)s) AS sender, coalesce(d.method, %(method)s) AS method,
  coalesce(d.reply_code, %(reply_code)s) AS reply_code, {why} AS why
FROM addressbook_contact c
LEFT JOIN unnest(%(countries)s::text[], %(methods)s::text[], %(senders)s::text[], %(reply_codes)s::text[], %(languages)s::text[])
  AS d(country, method, sender, reply_code, language) ON d.country = c.country
LEFT JOIN addressbook_suppression s ON s.company_id = c.company_id AND s.channel = %(channel)s AND s.digest = c.{digest}
WHERE c.company_id = %(company)s{slice}
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact
    WHERE company_id = %(company)s AND group_id = ANY(%(groups)s){members}){exclude};

-- name: paused
EXISTS (SELECT FROM addressbook_pause p WHERE p.company_id = c.company_id AND p.channel = %(channel)s
  AND p.digest = c.{digest} AND p.until > statement_timestamp());

-- name: received
-- What failed or was taken back was not received; what is queued will be.
EXISTS (SELECT FROM messaging_message m WHERE m.contact_id = c.id AND m.campaign_id = ANY(%(received)s)
  AND m.status NOT IN ('failed', 'suppressed', 'cancelled'));

-- name: often
-- As much marketing since then as may be, on any channel. The campaigns of that time are named, so that of a contact's
-- messages only theirs are read; beside them the single texts of no campaign, tests aside.
%({name}_most)s <= (SELECT count(*) FROM (
  SELECT FROM messaging_message m WHERE m.contact_id = c.id AND m.campaign_id = ANY(%({name}_campaigns)s)
    AND m.status NOT IN ('failed', 'suppressed', 'cancelled')
    AND (coalesce(m.sent_at, m.created_at) >= %({name}_since)s OR m.status IN ('queued', 'deferred'))
  UNION ALL
  SELECT FROM messaging_message m WHERE m.contact_id = c.id AND m.campaign_id IS NULL AND m.category = 'marketing'
    AND m.status NOT IN ('failed', 'suppressed', 'cancelled')
    AND (coalesce(m.sent_at, m.created_at) >= %({name}_since)s OR m.status IN ('queued', 'deferred'))
    AND NOT EXISTS (SELECT FROM campaigns_trial t WHERE t.message_id = m.id)
  LIMIT %({name}_most)s) counted);

-- name: recent
-- Campaigns that may have a message since then: under way or over since, or one whose newest message is younger.
SELECT k.id FROM campaigns_campaign k
WHERE k.company_id = %(company)s AND k.id IS DISTINCT FROM %(campaign)s::bigint AND (
  k.launched_at IS NOT NULL AND (k.finished_at IS NULL OR k.finished_at >= %(since)s)
  OR (SELECT m.created_at FROM messaging_message m WHERE m.campaign_id = k.id ORDER BY m.id DESC LIMIT 1) >= %(since)s);

-- name: reach
-- Per destination and reason; a sample and the usual language for the preview.
SELECT country, why, count(*) AS people, min(id) AS sample, mode() WITHIN GROUP (ORDER BY language) AS language
FROM ({people}) p GROUP BY country, why ORDER BY people DESC, country;

-- name: plan
-- The audience in slices by contact id, about `size` memberships each, so that no transaction is long
-- and several workers share the work.
WITH members AS (
  SELECT min(contact_id) AS first, max(contact_id) AS last, count(*) AS n FROM addressbook_groupcontact
  WHERE company_id = %(company)s AND group_id = ANY(%(groups)s)),
cut AS (SELECT first, last, greatest(1, ceil(n / %(size)s::numeric))::bigint AS slices FROM members WHERE n > 0)
INSERT INTO campaigns_slice (company_id, campaign_id, first_contact, last_contact)
SELECT %(company)s, %(campaign)s, first + (last - first + 1) * i / slices, first + (last - first + 1) * (i + 1) / slices - 1
FROM cut, generate_series(0, slices - 1) i;

-- name: take_slice
-- SKIP LOCKED: whoever builds beside us has the others.
SELECT id, first_contact, last_contact FROM campaigns_slice
WHERE campaign_id = %(campaign)s AND written_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: write_slice
-- One message per contact who may be written to, in batches of one gateway request each; one pass over the slice.
-- Rows come in the order of contacts, so every index grows at its end. The suppressions seen here only save work;
-- what decides is the last look of dispatch. Runs in bulk mode: walls hold because company, campaign and batches
-- are the same arguments throughout, and the tally is written here.
WITH people AS MATERIALIZED ({people} ORDER BY c.id),
free AS ({numbered}),
batch_ids AS MATERIALIZED (
  SELECT array_agg(nextval('messaging_batch_id_seq')) AS ids
  FROM generate_series(0, (SELECT count(*) FROM people) / %(batch_size)s + %(gateways)s)),
written AS (
  INSERT INTO messaging_message (company_id, campaign_id, contact_id, batch_id, readdressed, category, channel, address, digest,
    country, language, sender, method, reply_code, status, subject, text, encoding, segments, provider_id, error, created_at)
  SELECT %(company)s, %(campaign)s, id, (SELECT ids FROM batch_ids)[1 + n], false, 'marketing', %(channel)s, address, digest,
    country, language, sender, method, reply_code, 'queued', '', '', '', 0, '', '', now()
  FROM free
  RETURNING id, batch_id),
batches AS (
  INSERT INTO messaging_batch (id, company_id, gateway_id, campaign_id, category, status, due_at, first_id, last_id)
  SELECT batch_id, %(company)s, {gateway}, %(campaign)s, 'marketing', 'queued', %(due_at)s, min(id), max(id)
  FROM written{lanes} GROUP BY {group}),
counted AS (
  INSERT INTO messaging_tally (campaign_id, status, delta)
  SELECT %(campaign)s, 'queued', count(*) FROM written HAVING count(*) > 0)
SELECT why, count(*) FROM people GROUP BY why;

-- name: through_one
-- How `write_slice` fills batches where all goes through one gateway.
SELECT *, (row_number() OVER () - 1) / %(batch_size)s AS n FROM people WHERE why = ''

-- name: through_many
-- By destination through several: each gateway's messages lie together, so that a batch is found by its first and last id.
SELECT *, dense_rank() OVER (ORDER BY gateway, k) - 1 AS n FROM (
  SELECT p.*, coalesce(r.gateway, %(gateway)s) AS gateway, (row_number()
    OVER (PARTITION BY coalesce(r.gateway, %(gateway)s) ORDER BY p.id) - 1) / coalesce(r.size, %(size)s) AS k
  FROM people p LEFT JOIN unnest(%(countries)s::text[], %(through)s::bigint[], %(sizes)s::int[]) AS r(country, gateway, size)
    ON r.country = p.country
  WHERE p.why = '') numbered
ORDER BY gateway, id

-- name: lanes
 JOIN (SELECT DISTINCT (SELECT ids FROM batch_ids)[1 + n] AS lane_id, gateway FROM free) lane ON lane_id = batch_id

-- name: slice_written
UPDATE campaigns_slice SET written_at = clock_timestamp(), messages = %(messages)s WHERE id = %(slice)s;

-- name: built
UPDATE campaigns_campaign c SET built_at = clock_timestamp()
WHERE c.id = %(campaign)s AND c.status = 'sending' AND c.built_at IS NULL
  AND NOT EXISTS (SELECT FROM campaigns_slice s WHERE s.campaign_id = c.id AND s.written_at IS NULL);
