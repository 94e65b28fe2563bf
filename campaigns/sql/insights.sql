-- name: opt_outs
-- One pass over the opt-outs; whatever is told about them is added up from these rows, so it always agrees.
-- A person counts once: events that only follow from another one (cause_id) are left out.
-- The last column counts the answers to campaigns launched in the same period.
-- The reason is the one told with the opt-out, else the one told on the page after it.
SELECT date_trunc(%(step)s, e.occurred_at AT TIME ZONE 'UTC'), e.source, e.country,
       coalesce(nullif(e.reason, ''), r.reason, ''), count(*), count(*) FILTER (WHERE k.launched_at >= %(since)s)
FROM addressbook_consentevent e
LEFT JOIN campaigns_campaign k ON k.company_id = e.company_id AND k.id = e.campaign_id
LEFT JOIN LATERAL (
  SELECT l.reason FROM addressbook_consentevent l
  WHERE e.reason = '' AND l.company_id = e.company_id AND l.digest = e.digest AND l.type = 'reason' AND l.cause_id = e.id
  ORDER BY l.id DESC LIMIT 1) r ON true
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND (%(campaign)s::bigint IS NULL OR e.campaign_id = %(campaign)s)
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
GROUP BY 1, 2, 3, 4 ORDER BY 1;

-- name: how_many
-- All opt-outs of a period, and those that answer a campaign launched in it.
SELECT count(*), count(*) FILTER (WHERE k.launched_at >= %(since)s)
FROM addressbook_consentevent e
LEFT JOIN campaigns_campaign k ON k.company_id = e.company_id AND k.id = e.campaign_id
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s;

-- name: stayed
-- People who paused or left topics because of a campaign, and have not opted out since.
SELECT count(DISTINCT e.digest) FILTER (WHERE e.type = 'pause'), count(DISTINCT e.digest) FILTER (WHERE e.type = 'topic_out')
FROM addressbook_consentevent e
WHERE e.company_id = %(company)s AND e.campaign_id = %(campaign)s AND e.type IN ('pause', 'topic_out') AND e.cause_id IS NULL
  AND NOT EXISTS (SELECT FROM addressbook_suppression s
    WHERE s.company_id = e.company_id AND s.channel = e.channel AND s.digest = e.digest);

-- name: first_and_last
SELECT min(e.occurred_at), max(e.occurred_at) FROM addressbook_consentevent e
WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL AND e.campaign_id = %(campaign)s;

-- name: time_to_opt_out
-- The median; an event that names no message, or precedes it by the clock, tells nothing.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM e.occurred_at - m.sent_at))::float
FROM addressbook_consentevent e
JOIN messaging_message m ON m.id = e.message_id AND m.company_id = e.company_id AND m.sent_at <= e.occurred_at
WHERE e.company_id = %(company)s AND e.campaign_id = %(campaign)s AND e.type = 'opt_out' AND e.cause_id IS NULL;

-- name: comments
-- Said with the opt-out, or on the page after it. Two halves, so that each finds its index.
WITH gone AS NOT MATERIALIZED (
  SELECT e.id, e.company_id, e.digest, e.country, e.reason, e.occurred_at FROM addressbook_consentevent e
  WHERE e.company_id = %(company)s AND e.type = 'opt_out' AND e.cause_id IS NULL
    AND (%(campaign)s::bigint IS NULL OR e.campaign_id = %(campaign)s)
    AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s)
(SELECT v.comment, g.country, g.reason, g.occurred_at AS at
 FROM gone g JOIN addressbook_evidence v ON v.event_id = g.id AND v.comment <> ''
 ORDER BY g.occurred_at DESC LIMIT %(limit)s)
UNION ALL
(SELECT v.comment, g.country, l.reason, l.occurred_at
 FROM gone g
 JOIN addressbook_consentevent l
   ON l.company_id = g.company_id AND l.digest = g.digest AND l.type = 'reason' AND l.cause_id = g.id
     AND l.occurred_at >= %(since)s
 JOIN addressbook_evidence v ON v.event_id = l.id AND v.comment <> ''
 ORDER BY l.occurred_at DESC LIMIT %(limit)s)
ORDER BY at DESC LIMIT %(limit)s;

-- name: handed_over
-- What left the house in a period, per status, from the tallies.
SELECT t.status, sum(t.delta) FROM campaigns_campaign c
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

-- name: unreachable
-- Contacts of whom every address is suppressed, from the suppression list's side: it is the shorter one.
SELECT (SELECT count(*) FROM addressbook_suppression s
        JOIN addressbook_contact c ON c.company_id = s.company_id AND c.phone_digest = s.digest
        WHERE s.company_id = %(company)s AND s.channel = 'sms'
          AND (c.email_digest IS NULL OR EXISTS (SELECT FROM addressbook_suppression x
            WHERE x.company_id = c.company_id AND x.channel = 'email' AND x.digest = c.email_digest)))
     + (SELECT count(*) FROM addressbook_suppression s
        JOIN addressbook_contact c ON c.company_id = s.company_id AND c.email_digest = s.digest
        WHERE s.company_id = %(company)s AND s.channel = 'email' AND c.phone_digest IS NULL);

-- name: sparks
-- Opt-outs in the days after the launch, for a small curve beside each campaign.
SELECT c.id, floor(extract(epoch FROM e.occurred_at - c.launched_at) / %(step)s)::int, count(*)
FROM campaigns_campaign c
JOIN addressbook_consentevent e ON e.company_id = c.company_id AND e.campaign_id = c.id
WHERE c.company_id = %(company)s AND c.id = ANY(%(ids)s) AND e.type = 'opt_out' AND e.cause_id IS NULL
  AND e.occurred_at >= c.launched_at AND e.occurred_at < c.launched_at + make_interval(secs => %(step)s * %(points)s)
GROUP BY 1, 2;
