-- What the recipients' pages read. Primary keys only: a page costs one look-up, however many messages there are.

-- name: link
-- The message behind a link, with what its page shows. A transactional message has no way out and so no link.
SELECT m.channel, m.address, m.digest, m.country, m.language, m.reply_code, m.campaign_id, coalesce(k.name, ''),
       c.opt_out_scope, c.country, c.id, c.slug, c.name, c.language, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details,
       c.landing_texts::text, c.logo, c.offers_pause, CASE WHEN c.offers_topics THEN landing_topics_v1(c.id) ELSE '' END
FROM messaging_message m
JOIN accounts_company c ON c.id = m.company_id
LEFT JOIN campaigns_campaign k ON k.id = m.campaign_id
WHERE m.id = %s AND m.category = 'marketing';

-- name: event
-- The opt-out behind a receipt of the company's own page.
SELECT e.channel, coalesce(v.address, ''), e.digest, e.country, '', '', NULL, '',
       c.opt_out_scope, c.country, c.id, c.slug, c.name, c.language, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details,
       c.landing_texts::text, c.logo, c.offers_pause, CASE WHEN c.offers_topics THEN landing_topics_v1(c.id) ELSE '' END
FROM addressbook_consentevent e
JOIN accounts_company c ON c.id = e.company_id
LEFT JOIN addressbook_evidence v ON v.event_id = e.id
WHERE e.id = %s AND c.slug = %s AND e.type = 'opt_out';

-- name: asked
-- An opt-in that waits for its second step.
SELECT c.slug, r.message_id, r.out_event_id, r.evidence::text FROM optout_optinrequest r
JOIN accounts_company c ON c.id = r.company_id WHERE r.id = %s AND r.expires_at > statement_timestamp();

-- name: asked_locked
-- The same; who confirms twice at once waits for the first.
SELECT c.slug, r.message_id, r.out_event_id, r.evidence::text FROM optout_optinrequest r
JOIN accounts_company c ON c.id = r.company_id WHERE r.id = %s AND r.expires_at > statement_timestamp() FOR UPDATE OF r;

-- name: company
SELECT c.opt_out_scope, c.country, c.id, c.slug, c.name, c.language, c.privacy_url, c.imprint_url, c.brand_color, c.contact_details,
       c.landing_texts::text, c.logo, c.offers_pause, CASE WHEN c.offers_topics THEN landing_topics_v1(c.id) ELSE '' END
FROM accounts_company c WHERE c.slug = %s;

-- name: logo
SELECT l.content FROM accounts_logo l JOIN accounts_company c ON c.id = l.company_id WHERE c.slug = %s AND l.name = %s;

-- name: standing
-- How the address stands now: the opt-out in force, if any, and whether a reason was told for it; else until when it
-- is paused, and which topics it has left. one_suppression, event_digest, one_pause and topic_left_digest.
SELECT s.event_id, s.id IS NOT NULL AND EXISTS (
  SELECT FROM addressbook_consentevent e
  WHERE e.company_id = s.company_id AND e.digest = s.digest
    AND (e.id = s.event_id AND e.reason <> '' OR e.type = 'reason' AND e.cause_id = s.event_id)),
  p.until,
  coalesce((SELECT jsonb_agg(jsonb_build_array(g.id, g.topic, g.topic_texts) ORDER BY g.topic, g.id)::text
    FROM addressbook_topicleft t JOIN addressbook_group g ON g.id = t.group_id
    WHERE t.company_id = k.company_id AND t.channel = k.channel AND t.digest = k.digest AND g.topic <> ''), '')
FROM (SELECT %s::bigint AS company_id, %s::text AS channel, %s::bytea AS digest) k
LEFT JOIN addressbook_suppression s ON s.company_id = k.company_id AND s.channel = k.channel AND s.digest = k.digest
LEFT JOIN addressbook_pause p ON p.company_id = k.company_id AND p.channel = k.channel AND p.digest = k.digest
  AND p.until > statement_timestamp();
