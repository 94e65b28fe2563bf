-- name: count
-- Everybody in the groups: with an address, without one, suppressed, and in a country with no lawful way out.
SELECT count(*) FILTER (WHERE {digest} IS NOT NULL) AS audience,
       count(*) FILTER (WHERE {digest} IS NULL) AS no_address
FROM addressbook_contact c
WHERE c.company_id = %(company)s
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s))
  AND NOT EXISTS (SELECT FROM addressbook_groupcontact x WHERE x.group_id = ANY(%(exclude)s) AND x.contact_id = c.id);

-- name: suppressed
-- From the suppression list's side: it is the shorter one.
SELECT count(*)
FROM addressbook_suppression s
JOIN addressbook_contact c ON c.company_id = s.company_id AND c.{digest} = s.digest
WHERE s.company_id = %(company)s AND s.channel = %(channel)s
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s))
  AND NOT EXISTS (SELECT FROM addressbook_groupcontact x WHERE x.group_id = ANY(%(exclude)s) AND x.contact_id = c.id);

-- name: by_country
-- Who will be reached, per destination and language: what the preview shows.
SELECT c.country, count(*) AS recipients, min(c.id) AS sample,
       mode() WITHIN GROUP (ORDER BY c.language) AS language
FROM addressbook_contact c
WHERE c.company_id = %(company)s AND c.{digest} IS NOT NULL
  AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s))
  AND NOT EXISTS (SELECT FROM addressbook_groupcontact x WHERE x.group_id = ANY(%(exclude)s) AND x.contact_id = c.id)
  AND NOT EXISTS (SELECT FROM addressbook_suppression s
    WHERE s.company_id = c.company_id AND s.channel = %(channel)s AND s.digest = c.{digest})
GROUP BY c.country
ORDER BY recipients DESC, c.country;

-- name: batches
-- Batches ahead of their messages; what stays empty is deleted in the same transaction.
INSERT INTO messaging_batch (company_id, gateway_id, campaign_id, category, status, due_at)
SELECT %(company)s, %(gateway)s, %(campaign)s, 'marketing', 'queued', %(due_at)s
FROM generate_series(1, %(n)s)
RETURNING id;

-- name: messages
-- One message per contact who may be written to, in the batch its row number falls into.
-- Rows come in the order of contacts, so three of the four indexes grow at their end.
-- The suppressions seen here only save work; what decides is the last look of dispatch.
INSERT INTO messaging_message (company_id, campaign_id, contact_id, batch_id, category, channel, address, digest,
    country, language, sender, method, reply_code, status, subject, text, encoding, segments, provider_id, error, created_at)
SELECT %(company)s, %(campaign)s, p.id, (%(batches)s::bigint[])[1 + (row_number() OVER () - 1) / %(batch_size)s],
    'marketing', %(channel)s, p.address, p.digest, p.country, p.language, p.sender, p.method, p.reply_code,
    'queued', '', '', '', 0, '', '', now()
FROM (
  SELECT c.id, c.{field} AS address, c.{digest} AS digest, c.country,
         coalesce(nullif(c.language, ''), nullif(d.language, ''), %(language)s) AS language,
         coalesce(d.sender, %(sender)s) AS sender, coalesce(d.method, %(method)s) AS method,
         coalesce(d.reply_code, %(reply_code)s) AS reply_code
  FROM addressbook_contact c
  LEFT JOIN unnest(%(countries)s::text[], %(methods)s::text[], %(senders)s::text[], %(reply_codes)s::text[], %(languages)s::text[])
    AS d(country, method, sender, reply_code, language) ON d.country = c.country
  WHERE c.company_id = %(company)s AND c.{digest} IS NOT NULL
    AND c.id IN (SELECT contact_id FROM addressbook_groupcontact WHERE company_id = %(company)s AND group_id = ANY(%(groups)s))
    AND NOT EXISTS (SELECT FROM addressbook_groupcontact x WHERE x.group_id = ANY(%(exclude)s) AND x.contact_id = c.id)
    AND NOT EXISTS (SELECT FROM addressbook_suppression s
      WHERE s.company_id = c.company_id AND s.channel = %(channel)s AND s.digest = c.{digest})
    AND coalesce(d.method, %(method)s) <> ''
  ORDER BY c.id
) p;

-- name: drop_empty
DELETE FROM messaging_batch b
WHERE b.id = ANY(%(batches)s) AND NOT EXISTS (SELECT FROM messaging_message m WHERE m.batch_id = b.id);
