-- name: claim
-- One gateway request's worth. Committed on its own before anything else happens;
-- SKIP LOCKED lets any number of workers claim side by side. Index batch_due.
UPDATE messaging_batch SET status = 'handing', claimed_at = clock_timestamp(), claimed_by = %(worker)s
WHERE id = (
  SELECT id FROM messaging_batch
  WHERE status = 'queued' AND category = %(category)s AND due_at <= clock_timestamp()
  ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, company_id, gateway_id, campaign_id, category;

-- name: last_look
-- A statement of its own after the claim has committed: its snapshot sees every opt-out
-- acknowledged until now, and every reply that may be a no and waits for a person (review_address).
-- `claimed_by` keeps out a worker that slept beyond its lease.
SELECT m.id, m.channel, m.address, m.country, m.language, m.method, m.sender, m.reply_code, m.subject, m.text,
       s.id IS NOT NULL OR m.category = 'marketing' AND EXISTS (SELECT FROM optout_reviewitem h
         WHERE h.company_id = m.company_id AND h.digest = m.digest AND h.decision = '' AND h.holds) AS suppressed{columns}
FROM messaging_batch b
JOIN messaging_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id
LEFT JOIN addressbook_suppression s ON m.category = 'marketing'
  AND s.company_id = m.company_id AND s.channel = m.channel AND s.digest = m.digest{joins}
WHERE b.id = %(batch)s AND b.status = 'handing' AND b.claimed_by = %(worker)s AND m.status = 'queued'
ORDER BY m.id;

-- name: store
-- Each list comes as one text, which is read several times faster than an array of parameters.
SELECT batch_outcome_v1(%(batch)s, %(worker)s, %(gap_ms)s, %(sent_at)s, string_to_array(%(ids)s, E'\x1e')::bigint[],
  string_to_array(%(statuses)s, E'\x1e'), string_to_array(%(texts)s, E'\x1e'), string_to_array(%(encodings)s, E'\x1e'),
  string_to_array(%(segments)s, E'\x1e')::smallint[], string_to_array(%(provider_ids)s, E'\x1e'),
  string_to_array(%(errors)s, E'\x1e'));

-- name: give_up
-- Refused for now, for days.
UPDATE messaging_message SET status = 'failed', error = 'the gateway refused it for days'
WHERE id = ANY(%(ids)s) AND status = 'queued' AND created_at < clock_timestamp() - %(after)s::interval;

-- name: again
-- Certainly not taken: the messages wait in a batch of their own. The campaign's row is read under a lock,
-- so that a pause or cancel at this moment either finds the new batch or is seen here.
WITH campaign AS MATERIALIZED (
  SELECT status FROM campaigns_campaign
  WHERE id = (SELECT campaign_id FROM messaging_batch WHERE id = %(batch)s) FOR SHARE),
later AS (
  INSERT INTO messaging_batch (company_id, gateway_id, campaign_id, category, status, due_at)
  SELECT company_id, gateway_id, campaign_id, category,
    CASE WHEN (SELECT status FROM campaign) = 'paused' THEN 'held' ELSE 'queued' END, clock_timestamp() + %(wait)s
  FROM messaging_batch WHERE id = %(batch)s AND (SELECT status FROM campaign) IS DISTINCT FROM 'cancelled'
  RETURNING id),
moved AS (
  UPDATE messaging_message m SET batch_id = later.id FROM later WHERE m.id = ANY(%(ids)s) AND m.status = 'queued')
UPDATE messaging_message SET status = 'cancelled'
WHERE id = ANY(%(ids)s) AND status = 'queued' AND (SELECT status FROM campaign) = 'cancelled';

-- name: abandoned
-- The worker is gone: nobody knows what the gateway took. Never sent again.
WITH lost AS (
  UPDATE messaging_batch SET status = 'done' WHERE id IN (
    SELECT id FROM messaging_batch
    WHERE status = 'handing' AND claimed_at < clock_timestamp() - %(lease)s FOR UPDATE SKIP LOCKED)
  RETURNING id, first_id, last_id)
UPDATE messaging_message m SET status = 'unknown', error = 'the worker stopped while handing over', sent_at = clock_timestamp()
FROM lost WHERE m.id BETWEEN lost.first_id AND lost.last_id AND m.batch_id = lost.id AND m.status = 'queued';

-- name: finish
-- A campaign is sent when none of its batches is left.
UPDATE campaigns_campaign c SET status = 'sent', finished_at = clock_timestamp()
WHERE c.status = 'sending' AND c.built_at IS NOT NULL AND (%(campaign)s::bigint IS NULL OR c.id = %(campaign)s)
  AND NOT EXISTS (SELECT FROM messaging_batch b WHERE b.campaign_id = c.id AND b.status <> 'done');

-- name: squash
WITH gone AS (
  DELETE FROM messaging_tally WHERE campaign_id IN (
    SELECT campaign_id FROM messaging_tally GROUP BY campaign_id HAVING count(*) > 200 LIMIT 50)
  RETURNING campaign_id, status, delta)
INSERT INTO messaging_tally (campaign_id, status, delta)
SELECT campaign_id, status, sum(delta) FROM gone GROUP BY campaign_id, status HAVING sum(delta) <> 0;
