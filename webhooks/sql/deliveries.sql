-- name: due
-- Whether anything can be posted now. Index webhook_due; `lane` is named so that it can be entered at the right places.
SELECT EXISTS (SELECT FROM webhooks_endpoint e WHERE e.disabled_at IS NULL AND EXISTS (
  SELECT FROM webhooks_delivery d
  WHERE d.endpoint_id = e.id AND d.lane IN (0, 1) AND d.due_at <= clock_timestamp()));

-- name: claim
-- A few of each endpoint, whoever was served longest ago first; of one that fails fewer, and not of many such at a time:
-- who is slow holds up nobody else. The attempt is counted before it is made, and what is claimed is due again after
-- the lease: whoever dies in between costs a minute, not the delivery.
WITH waiting AS (
  SELECT e.id, e.served_at, e.failing_since IS NOT NULL AS fails FROM webhooks_endpoint e
  WHERE e.disabled_at IS NULL AND e.id <> ALL(%(busy)s::bigint[]) AND EXISTS (
    SELECT FROM webhooks_delivery d
    WHERE d.endpoint_id = e.id AND d.lane IN (0, 1) AND d.due_at <= clock_timestamp())),
served AS MATERIALIZED (
  (SELECT id, fails, %(most)s AS n FROM waiting WHERE NOT fails ORDER BY served_at NULLS FIRST, id LIMIT %(healthy)s)
  UNION ALL
  (SELECT id, fails, %(few)s AS n FROM waiting WHERE fails ORDER BY served_at NULLS FIRST, id LIMIT %(failing)s)),
picked AS MATERIALIZED (
  SELECT d.id, served.fails FROM served CROSS JOIN (VALUES (0), (1)) AS l(lane) CROSS JOIN LATERAL (
    SELECT w.id FROM webhooks_delivery w
    WHERE w.endpoint_id = served.id AND w.lane = l.lane AND w.due_at <= clock_timestamp()
    ORDER BY w.due_at LIMIT served.n FOR UPDATE SKIP LOCKED) d),
marked AS (UPDATE webhooks_endpoint SET served_at = clock_timestamp() WHERE id IN (
  SELECT e.id FROM webhooks_endpoint e JOIN served USING (id) FOR NO KEY UPDATE OF e SKIP LOCKED))
UPDATE webhooks_delivery d
SET due_at = clock_timestamp() + %(lease)s, attempts = d.attempts + 1, attempted_at = clock_timestamp()
FROM picked, webhooks_endpoint e
WHERE d.id = picked.id AND e.id = d.endpoint_id
RETURNING d.id, d.company_id, d.endpoint_id, d.type, d.subject_id, d.about_id, d.status, d.token, d.created_at, d.attempts,
  e.url, e.sealed_secret, CASE WHEN e.old_secret_until > clock_timestamp() THEN e.sealed_old_secret END, picked.fails;

-- name: store
-- Of the attempt that was made: one that comes back after its lease says nothing any more.
UPDATE webhooks_delivery d SET response = o.response, error = o.error,
  due_at = CASE WHEN NOT o.delivered THEN clock_timestamp() + o.wait * interval '1 second' END,
  delivered_at = CASE WHEN o.delivered THEN clock_timestamp() END
FROM unnest(%(ids)s::bigint[], %(attempts)s::smallint[], %(responses)s::smallint[], %(errors)s::text[], %(delivered)s::boolean[],
  %(waits)s::float8[]) AS o(id, attempts, response, error, delivered, wait)
WHERE d.id = o.id AND d.attempts = o.attempts AND d.due_at IS NOT NULL;

-- name: well
-- Workers lock endpoints in the order of their ids, here and below, so that none waits for another in a circle.
UPDATE webhooks_endpoint SET last_success_at = clock_timestamp(), failing_since = NULL WHERE id IN (
  SELECT id FROM webhooks_endpoint WHERE id = ANY(%(endpoints)s) ORDER BY id FOR NO KEY UPDATE);

-- name: failed
UPDATE webhooks_endpoint SET failing_since = coalesce(failing_since, clock_timestamp()) WHERE id IN (
  SELECT id FROM webhooks_endpoint WHERE id = ANY(%(endpoints)s) ORDER BY id FOR NO KEY UPDATE);

-- name: disable
-- Once: no row comes back for an endpoint that was switched off before.
UPDATE webhooks_endpoint SET disabled_at = clock_timestamp(),
  disabled_why = CASE WHEN id = ANY(%(gone)s) THEN 'gone' ELSE 'failing' END
WHERE id IN (SELECT id FROM webhooks_endpoint WHERE id = ANY(%(endpoints)s) ORDER BY id FOR NO KEY UPDATE)
  AND disabled_at IS NULL AND (id = ANY(%(gone)s) OR failing_since < clock_timestamp() - %(after)s::interval)
RETURNING id, company_id;

-- name: forget
-- Oldest first, a piece at a time: ids grow with time, so no index by time is needed. Only what goes is locked.
DELETE FROM webhooks_delivery WHERE id IN (
  SELECT d.id FROM (SELECT id FROM webhooks_delivery ORDER BY id LIMIT %(piece)s) oldest JOIN webhooks_delivery d USING (id)
  WHERE d.created_at < clock_timestamp() - %(kept)s::interval FOR UPDATE OF d SKIP LOCKED)
RETURNING id;

-- name: erased
-- A reply on a shared code may be kept by the company that owns the code, whose row stays as it is. What was told
-- already is marked too: it is not told again.
UPDATE webhooks_delivery d SET due_at = NULL, error = 'erased' FROM messaging_reply r
WHERE d.company_id = %(company)s AND d.type = 'reply.received'
  AND r.id = d.subject_id AND r.digest = ANY(%(digests)s::bytea[]);
