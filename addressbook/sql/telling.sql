-- Telling providers who is out and who is back.

-- name: begin
-- From the first line: who left before the gateway was there is told as well.
INSERT INTO addressbook_telling (company_id, gateway_id, reach, due_at, failures, problem)
SELECT g.company_id, g.id, array_fill(0::bigint, ARRAY[64]), clock_timestamp(), 0, ''
FROM messaging_gateway g
WHERE g.kind = ANY(%(kinds)s) AND NOT EXISTS (SELECT FROM addressbook_telling t WHERE t.gateway_id = g.id)
ON CONFLICT DO NOTHING;

-- name: due
SELECT t.id FROM addressbook_telling t JOIN messaging_gateway g ON g.id = t.gateway_id
WHERE t.due_at <= clock_timestamp() AND g.switched_off_at IS NULL
  AND EXISTS (SELECT FROM addressbook_ledgerhead h
    WHERE h.company_id = t.company_id AND h.shard < 64 AND h.position > t.reach[h.shard + 1])
ORDER BY t.due_at, t.id;

-- name: claim
-- For as long as one round may take; who dies in it is followed by the next.
UPDATE addressbook_telling SET due_at = clock_timestamp() + %(lease)s
WHERE id = %(telling)s AND due_at <= clock_timestamp() RETURNING id;

-- name: next
-- The next lines of each chain, and what the provider is to be told of each: how the address stands now, not how it
-- stood then. Who is out because this provider said so is not told back to it. Nobody is let in by a consent that is
-- older than the gateway: the provider may know of a later no.
SELECT e.shard, e.position, v.address, s.id IS NOT NULL AS is_out,
  e.channel = ANY(%(channels)s) AND v.address <> '' AND CASE
    WHEN s.id IS NULL THEN e.type = 'opt_in' AND e.recorded_at >= %(since)s
    ELSE e.id = s.event_id AND cause.details->>'gateway' IS DISTINCT FROM %(gateway)s::text END AS is_news
FROM generate_subscripts(%(reach)s::bigint[], 1) AS chain
CROSS JOIN LATERAL (
  SELECT id, shard, position, type, channel, digest, recorded_at FROM addressbook_consentevent
  WHERE company_id = %(company)s AND shard = chain - 1 AND position > (%(reach)s::bigint[])[chain]
  ORDER BY position LIMIT %(most)s) e
LEFT JOIN addressbook_evidence v ON v.event_id = e.id
LEFT JOIN addressbook_suppression s ON s.company_id = %(company)s AND s.channel = e.channel AND s.digest = e.digest
LEFT JOIN addressbook_evidence cause ON cause.event_id = s.event_id
ORDER BY e.id;
