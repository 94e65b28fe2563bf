-- name: count
-- Everybody in the groups: with an address, without one, suppressed, and in a country with no lawful way out.
SELECT count(*) FILTER (WHERE {digest} IS NOT NULL) AS audience,
       count(*) FILTER (WHERE {digest} IS NULL) AS no_address
FROM addressbook_contact c
WHERE c.company_id = %(company)s
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s)){exclude};

-- name: suppressed
-- From the suppression list's side: it is the shorter one.
SELECT count(*)
FROM addressbook_suppression s
JOIN addressbook_contact c ON c.company_id = s.company_id AND c.{digest} = s.digest
WHERE s.company_id = %(company)s AND s.channel = %(channel)s
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s)){exclude};

-- name: by_country
-- Who will be reached, per destination and language: what the preview shows.
SELECT c.country, count(*) AS recipients, min(c.id) AS sample,
       mode() WITHIN GROUP (ORDER BY c.language) AS language
FROM addressbook_contact c
WHERE c.company_id = %(company)s AND c.{digest} IS NOT NULL
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s)){exclude}
  AND NOT EXISTS (SELECT FROM addressbook_suppression s
    WHERE s.company_id = c.company_id AND s.channel = %(channel)s AND s.digest = c.{digest})
GROUP BY c.country
ORDER BY recipients DESC, c.country;

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
WITH people AS MATERIALIZED (
  SELECT c.id, c.{field} AS address, c.{digest} AS digest, c.country,
         coalesce(nullif(c.language, ''), nullif(d.language, ''), %(language)s) AS language,
         coalesce(d.sender, %(sender)s) AS sender, coalesce(d.method, %(method)s) AS method,
         coalesce(d.reply_code, %(reply_code)s) AS reply_code, s.id IS NOT NULL AS suppressed
  FROM addressbook_contact c
  LEFT JOIN unnest(%(countries)s::text[], %(methods)s::text[], %(senders)s::text[], %(reply_codes)s::text[], %(languages)s::text[])
    AS d(country, method, sender, reply_code, language) ON d.country = c.country
  LEFT JOIN addressbook_suppression s ON s.company_id = c.company_id AND s.channel = %(channel)s AND s.digest = c.{digest}
  WHERE c.company_id = %(company)s AND c.{digest} IS NOT NULL AND c.id BETWEEN %(first)s AND %(last)s
    AND c.id IN (SELECT contact_id FROM addressbook_groupcontact
      WHERE company_id = %(company)s AND group_id = ANY(%(groups)s) AND contact_id BETWEEN %(first)s AND %(last)s){exclude}
  ORDER BY c.id),
free AS (SELECT *, (row_number() OVER () - 1) / %(batch_size)s AS n FROM people WHERE NOT suppressed AND method <> ''),
batch_ids AS MATERIALIZED (
  SELECT array_agg(nextval('messaging_batch_id_seq')) AS ids
  FROM generate_series(0, (SELECT count(*) FROM people) / %(batch_size)s)),
written AS (
  INSERT INTO messaging_message (company_id, campaign_id, contact_id, batch_id, readdressed, category, channel, address, digest,
    country, language, sender, method, reply_code, status, subject, text, encoding, segments, provider_id, error, created_at)
  SELECT %(company)s, %(campaign)s, id, (SELECT ids FROM batch_ids)[1 + n], false, 'marketing', %(channel)s, address, digest,
    country, language, sender, method, reply_code, 'queued', '', '', '', 0, '', '', now()
  FROM free
  RETURNING id, batch_id),
batches AS (
  INSERT INTO messaging_batch (id, company_id, gateway_id, campaign_id, category, status, due_at, first_id, last_id)
  SELECT batch_id, %(company)s, %(gateway)s, %(campaign)s, 'marketing', 'queued', %(due_at)s, min(id), max(id)
  FROM written GROUP BY batch_id),
counted AS (
  INSERT INTO messaging_tally (campaign_id, status, delta)
  SELECT %(campaign)s, 'queued', count(*) FROM written HAVING count(*) > 0)
SELECT (SELECT count(*) FROM written), count(*) FILTER (WHERE suppressed), count(*) FILTER (WHERE NOT suppressed AND method = '')
FROM people;

-- name: slice_written
UPDATE campaigns_slice SET written_at = clock_timestamp(), messages = %(messages)s WHERE id = %(slice)s;

-- name: counted_in
-- The campaign's sum grows with each slice. No row comes back when it was paused or cancelled meanwhile.
UPDATE campaigns_campaign SET audience = audience + %(messages)s + %(suppressed)s + %(no_way)s,
  left_out_suppressed = left_out_suppressed + %(suppressed)s, left_out_no_way = left_out_no_way + %(no_way)s
WHERE id = %(campaign)s AND status = 'sending' AND built_at IS NULL
RETURNING id;

-- name: built
UPDATE campaigns_campaign c SET built_at = clock_timestamp()
WHERE c.id = %(campaign)s AND c.status = 'sending' AND c.built_at IS NULL
  AND NOT EXISTS (SELECT FROM campaigns_slice s WHERE s.campaign_id = c.id AND s.written_at IS NULL);
