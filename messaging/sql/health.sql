-- How gateways are doing. Written by every worker, so each is one statement.

-- name: failed
-- A whole request failed. The third in a row opens the circuit; then it is tried with one message at a time: after
-- half a minute first, and the longer it is down the more rarely, up to five minutes.
UPDATE messaging_gateway SET failures = least(failures + 1, 1000), problem = %(problem)s,
  problem_since = coalesce(problem_since, clock_timestamp()),
  down_since = CASE WHEN failures + 1 >= %(most)s THEN coalesce(down_since, clock_timestamp()) END,
  next_try_at = CASE WHEN failures + 1 >= %(most)s THEN clock_timestamp() + least(%(longest)s::interval,
    greatest(%(shortest)s::interval, (clock_timestamp() - coalesce(down_since, clock_timestamp())) / 4)) END
WHERE id = %(gateway)s;

-- name: succeeded
UPDATE messaging_gateway SET failures = 0, down_since = NULL, next_try_at = NULL, problem = '', problem_since = NULL,
  last_success_at = clock_timestamp()
WHERE id = %(gateway)s;

-- name: probe
-- Whoever gets a row may try it with one message. Should the worker die, the next try is after its lease.
UPDATE messaging_gateway SET next_try_at = clock_timestamp() + interval '60 seconds'
WHERE id = %(gateway)s AND down_since IS NOT NULL AND next_try_at <= clock_timestamp() RETURNING id;

-- name: count
INSERT INTO messaging_gatewayresult (company_id, gateway_id, at, taken, rejected, refused, unknown)
VALUES (%(company)s, %(gateway)s, clock_timestamp(), %(taken)s, %(rejected)s, %(refused)s, %(unknown)s);

-- name: squash
-- After two hours by the hour, after two days not at all.
WITH gone AS (
  DELETE FROM messaging_gatewayresult WHERE id IN (
    SELECT id FROM messaging_gatewayresult
    WHERE at < clock_timestamp() - interval '2 hours' AND at <> date_trunc('hour', at)
      OR at < clock_timestamp() - interval '2 days'
    LIMIT 5000 FOR UPDATE SKIP LOCKED)
  RETURNING company_id, gateway_id, at, taken, rejected, refused, unknown)
INSERT INTO messaging_gatewayresult (company_id, gateway_id, at, taken, rejected, refused, unknown)
SELECT company_id, gateway_id, date_trunc('hour', at), sum(taken), sum(rejected), sum(refused), sum(unknown)
FROM gone WHERE at >= clock_timestamp() - interval '2 days' GROUP BY company_id, gateway_id, date_trunc('hour', at);

-- name: queued
-- Waiting per gateway; looks at no message of a batch that is done.
SELECT b.gateway_id, count(*) FROM messaging_batch b
JOIN messaging_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id
  AND m.status IN ('queued', 'deferred')
WHERE b.company_id = %(company)s AND b.status IN ('queued', 'held', 'handing') GROUP BY b.gateway_id;
