-- name: claim
-- One gateway request's worth, of the company whose turn it is. Committed before anything else happens
-- to the batch; messaging/sql/outcomes.sql.
SELECT id, company_id, gateway_id, campaign_id, category, pinned
FROM batch_claim_v1(%(worker)s, %(category)s, %(after)s);

-- name: last_look
-- A statement of its own after the claim has committed: its snapshot sees every opt-out
-- acknowledged until now, and every reply that may be a no and waits for a person (review_address),
-- every pause that runs and every topic that was left. `suppressed` says which, or nothing.
-- `claimed_by` keeps out a worker that slept beyond its lease.
SELECT m.id, m.channel, m.address, m.country, m.language, m.method, m.sender, m.reply_code, m.subject, m.text,
       CASE WHEN s.id IS NOT NULL OR m.category = 'marketing' AND EXISTS (SELECT FROM optout_reviewitem h
           WHERE h.company_id = m.company_id AND h.digest = m.digest AND h.decision = '' AND h.holds) THEN 'suppressed'
         -- Asked of single messages only when anybody at all has paused, or left a topic that this campaign is for;
         -- without EXISTS, so that each looks up its own row and no list is read through for every batch.
         WHEN m.category = 'marketing' AND (SELECT EXISTS (SELECT FROM addressbook_pause p
             WHERE p.company_id = (SELECT company_id FROM messaging_batch WHERE id = %(batch)s)
               AND p.until > statement_timestamp()))
           AND (SELECT p.until > statement_timestamp() FROM addressbook_pause p
             WHERE p.company_id = m.company_id AND p.channel = m.channel AND p.digest = m.digest) THEN 'paused'
         WHEN m.category = 'marketing' AND (SELECT campaign_has_left_topics_v1(campaign_id)
             FROM messaging_batch WHERE id = %(batch)s)
           AND (SELECT true FROM addressbook_topicleft l
             WHERE l.company_id = m.company_id AND l.digest = m.digest LIMIT 1)
           AND campaign_topic_left_v1(m.company_id, m.campaign_id, m.contact_id, m.digest) THEN 'topic left'
         ELSE '' END AS suppressed{columns}
FROM messaging_batch b
JOIN messaging_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id
LEFT JOIN addressbook_suppression s ON m.category = 'marketing'
  AND s.company_id = m.company_id AND s.channel = m.channel AND s.digest = m.digest{joins}
WHERE b.id = %(batch)s AND b.status = 'handing' AND b.claimed_by = %(worker)s AND m.status IN ('queued', 'deferred')
ORDER BY m.id;

-- name: defer
-- Not at this hour.
SELECT batch_defer_v1(%(batch)s, %(worker)s, %(ids)s, %(until)s);

-- name: store
-- Lists of values; messaging/sql/outcomes.sql.
SELECT batch_outcome_v2(%(batch)s, %(worker)s, %(gap_ms)s, %(sent_at)s, %(ids)s, %(statuses)s, %(texts)s, %(encodings)s,
  %(segments)s, %(provider_ids)s, %(errors)s);

-- name: give_up
-- Refused for now, for days; hours in which nobody may be written to do not count.
UPDATE messaging_message SET status = 'failed', error = 'the gateway refused it for days'
WHERE id = ANY(%(ids)s) AND status IN ('queued', 'deferred') AND EXISTS (SELECT FROM messaging_batch b
  WHERE b.id = %(batch)s AND b.tried_since < clock_timestamp() - %(after)s::interval);

-- name: again
-- Certainly not taken: the messages wait in a batch of their own. The campaign's row is read under a lock,
-- so that a pause or cancel at this moment either finds the new batch or is seen here.
WITH campaign AS MATERIALIZED (
  SELECT status FROM campaigns_campaign
  WHERE id = (SELECT campaign_id FROM messaging_batch WHERE id = %(batch)s) FOR SHARE),
later AS (
  INSERT INTO messaging_batch (company_id, gateway_id, campaign_id, category, status, due_at, tried_since)
  SELECT company_id, coalesce(%(gateway)s, gateway_id), campaign_id, category,
    CASE WHEN (SELECT status FROM campaign) = 'paused' THEN 'held' ELSE 'queued' END, clock_timestamp() + %(wait)s,
    coalesce(tried_since, CASE WHEN %(refused)s THEN claimed_at END)
  FROM messaging_batch WHERE id = %(batch)s AND (SELECT status FROM campaign) IS DISTINCT FROM 'cancelled'
  RETURNING id),
moved AS (
  UPDATE messaging_message m SET batch_id = later.id, status = 'queued'
  FROM later WHERE m.id = ANY(%(ids)s) AND m.status IN ('queued', 'deferred'))
UPDATE messaging_message SET status = 'cancelled'
WHERE id = ANY(%(ids)s) AND status IN ('queued', 'deferred') AND (SELECT status FROM campaign) = 'cancelled';

-- name: waiting
-- What a claimed batch would carry, by where it goes.
SELECT m.id, m.channel, m.country, m.sender
FROM messaging_batch b JOIN messaging_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id
WHERE b.id = %(batch)s AND b.status = 'handing' AND b.claimed_by = %(worker)s
  AND m.status IN ('queued', 'deferred')
ORDER BY m.id;

-- name: release
-- Nothing of it was handed over: the whole batch waits again, perhaps for another gateway. The campaign's row is read
-- under a lock as in `again`; of a cancelled campaign nothing waits.
WITH campaign AS MATERIALIZED (
  SELECT status FROM campaigns_campaign
  WHERE id = (SELECT campaign_id FROM messaging_batch WHERE id = %(batch)s) FOR SHARE)
UPDATE messaging_batch SET status = CASE WHEN (SELECT status FROM campaign) = 'paused' THEN 'held' ELSE 'queued' END,
  gateway_id = coalesce(%(gateway)s, gateway_id), due_at = clock_timestamp() + %(wait)s, claimed_at = NULL, claimed_by = NULL
WHERE id = %(batch)s AND status = 'handing' AND claimed_by = %(worker)s
  AND (SELECT status FROM campaign) IS DISTINCT FROM 'cancelled'
RETURNING id;

-- name: emptied
UPDATE messaging_batch SET status = 'done' WHERE id = %(batch)s AND status = 'handing' AND claimed_by = %(worker)s;

-- name: postpone
-- Index batch_due. What somebody works on is left out: it comes back by itself.
UPDATE messaging_batch SET due_at = clock_timestamp() + %(wait)s WHERE id IN (
  SELECT id FROM messaging_batch
  WHERE status = 'queued' AND category IN ('marketing', 'transactional') AND gateway_id = %(gateway)s AND NOT pinned
    AND due_at < clock_timestamp() + %(wait)s
  FOR UPDATE SKIP LOCKED);

-- name: give_up_waiting
-- Behind a gateway that has been down for days.
WITH stale AS (
  UPDATE messaging_batch SET status = 'done' WHERE id IN (
    SELECT b.id FROM messaging_gateway g
    JOIN messaging_batch b ON b.gateway_id = g.id AND b.status = 'queued' AND b.category IN ('marketing', 'transactional')
    JOIN messaging_message m ON m.id = b.first_id AND m.created_at < clock_timestamp() - %(after)s::interval
    WHERE g.down_since < clock_timestamp() - %(after)s::interval AND b.due_at < clock_timestamp() + interval '5 minutes'
    LIMIT 200 FOR UPDATE OF b SKIP LOCKED)
  RETURNING id, first_id, last_id)
UPDATE messaging_message m SET status = 'failed', error = 'the gateway was down for days'
FROM stale WHERE m.id BETWEEN stale.first_id AND stale.last_id AND m.batch_id = stale.id
  AND m.status IN ('queued', 'deferred');

-- name: abandoned
-- The worker is gone: nobody knows what the gateway took. Never sent again.
WITH lost AS (
  UPDATE messaging_batch SET status = 'done' WHERE id IN (
    SELECT id FROM messaging_batch
    WHERE status = 'handing' AND claimed_at < clock_timestamp() - %(lease)s FOR UPDATE SKIP LOCKED)
  RETURNING id, first_id, last_id)
UPDATE messaging_message m SET status = 'unknown', error = 'the worker stopped while handing over', sent_at = clock_timestamp()
FROM lost WHERE m.id BETWEEN lost.first_id AND lost.last_id AND m.batch_id = lost.id
  AND m.status IN ('queued', 'deferred');

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
