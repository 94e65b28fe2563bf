-- What the recipients' pages read. Primary keys only: a page costs one look-up, however many messages there are.

-- name: link
-- The message behind a link, with what its page shows. A transactional message has no way out and so no link.
SELECT m.channel, m.address, m.digest, m.country, m.language, m.reply_code, m.campaign_id, coalesce(k.name, ''),
       c.opt_out_scope, c.country, c.id, c.slug, c.name, c.language, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details,
       c.landing_texts::text, c.logo
FROM messaging_message m
JOIN accounts_company c ON c.id = m.company_id
LEFT JOIN campaigns_campaign k ON k.id = m.campaign_id
WHERE m.id = %s AND m.category = 'marketing';

-- name: event
-- The opt-out behind a receipt of the company's own page.
SELECT e.channel, coalesce(v.address, ''), e.digest, e.country, '', '', NULL, '',
       c.opt_out_scope, c.country, c.id, c.slug, c.name, c.language, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details,
       c.landing_texts::text, c.logo
FROM addressbook_consentevent e
JOIN accounts_company c ON c.id = e.company_id
LEFT JOIN addressbook_evidence v ON v.event_id = e.id
WHERE e.id = %s AND c.slug = %s AND e.type = 'opt_out';

-- name: company
SELECT c.opt_out_scope, c.country, c.id, c.slug, c.name, c.language, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details,
       c.landing_texts::text, c.logo
FROM accounts_company c WHERE c.slug = %s;

-- name: logo
SELECT l.content FROM accounts_logo l JOIN accounts_company c ON c.id = l.company_id WHERE c.slug = %s AND l.name = %s;

-- name: standing
-- How the address stands now: the opt-out in force, if any, and whether a reason was told for it.
-- one_suppression and event_digest.
SELECT s.event_id, EXISTS (
  SELECT FROM addressbook_consentevent e
  WHERE e.company_id = s.company_id AND e.digest = s.digest
    AND (e.id = s.event_id AND e.reason <> '' OR e.type = 'reason' AND e.cause_id = s.event_id))
FROM addressbook_suppression s
WHERE s.company_id = %s AND s.channel = %s AND s.digest = %s;
