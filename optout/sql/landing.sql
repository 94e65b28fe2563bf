-- What the recipients' pages read. Primary keys only: a page costs one look-up, however many messages there are.

-- name: link
-- The message behind a link, with what its page shows. A transactional message has no way out and so no link.
SELECT m.id, m.company_id, m.channel, m.address, m.digest, m.country, m.language, m.reply_code,
       m.campaign_id, coalesce(k.name, ''),
       c.name, c.language, c.opt_out_scope, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details
FROM messaging_message m
JOIN accounts_company c ON c.id = m.company_id
LEFT JOIN campaigns_campaign k ON k.id = m.campaign_id
WHERE m.id = %s AND m.category = 'marketing';

-- name: standing
-- How the address stands now: the opt-out in force, if any, and whether a reason was told for it.
-- one_suppression and event_digest.
SELECT s.event_id, EXISTS (
  SELECT FROM addressbook_consentevent e
  WHERE e.company_id = s.company_id AND e.digest = s.digest
    AND (e.id = s.event_id AND e.reason <> '' OR e.type = 'reason' AND e.cause_id = s.event_id))
FROM addressbook_suppression s
WHERE s.company_id = %s AND s.channel = %s AND s.digest = %s;
