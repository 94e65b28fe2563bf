-- name: opt_outs
-- A person counts once: events that only follow from another one (cause_id) are left out.
SELECT e.source, count(*) FROM addressbook_consentevent e
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND (%(campaign)s::bigint IS NULL OR e.campaign_id = %(campaign)s)
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
GROUP BY e.source;

-- name: over_time
SELECT date_trunc(%(step)s, e.occurred_at AT TIME ZONE 'UTC'), e.source, count(*) FROM addressbook_consentevent e
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND (%(campaign)s::bigint IS NULL OR e.campaign_id = %(campaign)s)
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
GROUP BY 1, 2 ORDER BY 1;

-- name: reasons
-- The reason told with the opt-out, else the one told on the page after it.
SELECT coalesce(nullif(e.reason, ''), r.reason, '') AS reason, count(*) FROM addressbook_consentevent e
LEFT JOIN LATERAL (
  SELECT reason FROM addressbook_consentevent l
  WHERE l.company_id = e.company_id AND l.digest = e.digest AND l.type = 'reason' AND l.cause_id = e.id
  ORDER BY l.id DESC LIMIT 1) r ON true
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND (%(campaign)s::bigint IS NULL OR e.campaign_id = %(campaign)s)
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: countries
SELECT e.country, count(*) FROM addressbook_consentevent e
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND (%(campaign)s::bigint IS NULL OR e.campaign_id = %(campaign)s)
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: comments
SELECT v.comment, e.country, e.reason, e.occurred_at
FROM addressbook_consentevent e
JOIN addressbook_evidence v ON v.event_id = e.id AND v.comment <> ''
LEFT JOIN addressbook_consentevent o ON o.id = e.cause_id AND e.type = 'reason'
WHERE e.company_id = %(company)s AND (e.type = 'opt_out' AND e.cause_id IS NULL OR e.type = 'reason')
  AND (%(campaign)s::bigint IS NULL OR coalesce(o.campaign_id, e.campaign_id) = %(campaign)s)
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
ORDER BY e.occurred_at DESC LIMIT %(limit)s;

-- name: handed_over
-- What left the house in a period, per status, from the tallies.
SELECT t.status, sum(t.delta), count(DISTINCT c.id) FROM campaigns_campaign c
JOIN messaging_tally t ON t.campaign_id = c.id
WHERE c.company_id = %(company)s AND c.launched_at >= %(since)s AND c.launched_at < %(until)s
GROUP BY t.status;

-- name: per_campaign
-- Messages taken and people gone, for many campaigns at once.
SELECT c.id,
  coalesce((SELECT sum(t.delta) FROM messaging_tally t WHERE t.campaign_id = c.id AND t.status IN ('sent', 'delivered', 'unknown')), 0),
  coalesce((SELECT sum(t.delta) FROM messaging_tally t WHERE t.campaign_id = c.id AND t.status = 'delivered'), 0),
  (SELECT count(*) FROM addressbook_consentevent e
    WHERE e.company_id = c.company_id AND e.campaign_id = c.id AND e.type = 'opt_out' AND e.cause_id IS NULL)
FROM campaigns_campaign c WHERE c.company_id = %(company)s AND c.id = ANY(%(ids)s);
