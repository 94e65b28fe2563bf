-- What is wrong with one company's ledger: kind, and the id by which to find it. Each statement sees one
-- moment while others go on writing, compares only what is written together, reads each line once,
-- locks nothing, and ends after %(most)s findings.

-- name: lines
SELECT CASE WHEN altered THEN 'altered' WHEN skipped THEN 'gap' ELSE 'broken_chain' END, id
FROM (
  SELECT id, hash <> sha256(ledger_line_v1(e)) AS altered,
    position <> coalesce(lag(position) OVER chain, 0) + 1 AS skipped,
    previous_hash <> coalesce(lag(hash) OVER chain, ''::bytea) AS broken,
    shard <> get_byte(digest, 0) & 63 AS elsewhere
  FROM addressbook_consentevent e WHERE company_id = %(company)s
  WINDOW chain AS (PARTITION BY shard ORDER BY position)) line
WHERE altered OR skipped OR broken OR elsewhere LIMIT %(most)s;

-- name: heads
SELECT CASE WHEN chain = 64 THEN 'seal_head' ELSE 'head' END, chain
FROM (SELECT generate_series(0, 64) AS chain
  UNION SELECT shard FROM addressbook_ledgerhead WHERE company_id = %(company)s) chains
LEFT JOIN addressbook_ledgerhead h ON h.company_id = %(company)s AND h.shard = chain
LEFT JOIN LATERAL (
  (SELECT position, hash FROM addressbook_consentevent
    WHERE company_id = %(company)s AND shard = chain ORDER BY position DESC LIMIT 1)
  UNION ALL
  (SELECT number, hash FROM addressbook_ledgerseal
    WHERE company_id = %(company)s AND chain = 64 ORDER BY number DESC LIMIT 1)) last ON true
WHERE (coalesce(h.position, 0), coalesce(h.hash, '')) <> (coalesce(last.position, 0), coalesce(last.hash, ''))
ORDER BY chain LIMIT %(most)s;

-- name: seals
SELECT CASE WHEN skipped THEN 'seal_gap' ELSE 'seal_broken' END, number
FROM (
  SELECT s.number, s.number <> coalesce(lag(s.number) OVER seals, 0) + 1 AS skipped,
    s.previous_hash <> coalesce(lag(s.hash) OVER seals, ''::bytea)
      OR s.hash <> sha256(ledger_sealed_v1(s, lag(s.reach) OVER seals)) AS broken
  FROM addressbook_ledgerseal s WHERE s.company_id = %(company)s
  WINDOW seals AS (ORDER BY s.number)) seal
WHERE skipped OR broken LIMIT %(most)s;

-- name: evidence
SELECT CASE WHEN v.event_id IS NULL THEN 'no_evidence' WHEN l.id IS NULL THEN 'evidence_without_line'
    WHEN v.erased THEN 'erased_without_line' ELSE 'evidence_altered' END, coalesce(l.id, v.event_id)
FROM (SELECT id, evidence_hash, digest, position FROM addressbook_consentevent WHERE company_id = %(company)s) l
FULL JOIN (
  SELECT event_id, erased_at IS NOT NULL AS erased, (address, comment, details) = ('', '', '{}'::jsonb) AS is_empty,
    sha256(convert_to(jsonb_build_array(address, comment, details)::text, 'UTF8')) AS hash
  FROM addressbook_evidence WHERE company_id = %(company)s) v ON v.event_id = l.id
WHERE v.event_id IS NULL OR l.id IS NULL
  OR CASE WHEN NOT v.erased THEN v.hash <> l.evidence_hash
    ELSE NOT v.is_empty OR NOT EXISTS (SELECT FROM addressbook_consentevent e WHERE e.company_id = %(company)s
      AND e.digest = l.digest AND e.type = 'erasure' AND e.position > l.position) END
LIMIT %(most)s;

-- name: suppressions
-- The last word of each address, by its place in the chain, beside the suppression.
SELECT CASE WHEN s.id IS NULL THEN 'not_in_force' WHEN said.type = 'opt_in' THEN 'outlived_opt_in'
    ELSE 'without_event' END, coalesce(s.id, said.id)
FROM (
  SELECT DISTINCT ON (channel, digest) channel, digest, id, type, source, occurred_at
  FROM addressbook_consentevent WHERE company_id = %(company)s AND type IN ('opt_out', 'opt_in')
  ORDER BY channel, digest, position DESC) said
FULL JOIN (
  SELECT s.*, v.address AS shown FROM addressbook_suppression s
  LEFT JOIN addressbook_evidence v ON v.event_id = s.event_id
  WHERE s.company_id = %(company)s) s ON (s.channel, s.digest) = (said.channel, said.digest)
WHERE (said.type = 'opt_out') IS DISTINCT FROM (s.id IS NOT NULL)
  OR s.id IS NOT NULL AND (s.event_id, s.source, s.since, s.address)
    IS DISTINCT FROM (said.id, said.source, said.occurred_at, s.shown)
LIMIT %(most)s;

-- name: pauses
-- As with the suppressions, but an opt-out and an opt-in end what the line before them began; not an opt-in that was
-- said before the pause and came to the ledger late.
SELECT CASE WHEN p.id IS NULL THEN 'pause_missing' ELSE 'pause_without_event' END, coalesce(p.id, said.id)
FROM (
  SELECT DISTINCT ON (channel, digest) channel, digest, id, type, reason, occurred_at FROM (
    SELECT *, max(occurred_at) FILTER (WHERE type = 'pause') OVER (PARTITION BY channel, digest ORDER BY position) AS paused
    FROM addressbook_consentevent
    WHERE company_id = %(company)s AND type IN ('opt_out', 'opt_in', 'pause', 'pause_end')) e
  WHERE type <> 'opt_in' OR paused IS NULL OR occurred_at >= paused
  ORDER BY channel, digest, position DESC) said
FULL JOIN (SELECT * FROM addressbook_pause WHERE company_id = %(company)s) p
  ON (p.channel, p.digest) = (said.channel, said.digest)
WHERE (said.type = 'pause') IS DISTINCT FROM (p.id IS NOT NULL)
  OR p.id IS NOT NULL AND said.type = 'pause' AND (p.event_id, p.until) IS DISTINCT FROM
    (said.id, said.occurred_at + split_part(said.reason, ':', 2)::int * interval '24 hours')
LIMIT %(most)s;

-- name: topics
-- The last word of each address about each topic; what was left went with its group.
SELECT CASE WHEN t.id IS NULL THEN 'topic_missing' ELSE 'topic_without_event' END, coalesce(t.id, said.id)
FROM (
  SELECT DISTINCT ON (channel, digest, reason) channel, digest, id, type, split_part(reason, ':', 2)::bigint AS group_id
  FROM addressbook_consentevent WHERE company_id = %(company)s AND type IN ('topic_out', 'topic_in')
  ORDER BY channel, digest, reason, position DESC) said
FULL JOIN (SELECT * FROM addressbook_topicleft WHERE company_id = %(company)s) t
  ON (t.channel, t.digest, t.group_id) = (said.channel, said.digest, said.group_id)
LEFT JOIN addressbook_group g ON g.company_id = %(company)s AND g.id = said.group_id
WHERE t.id IS NOT NULL AND (said.type IS DISTINCT FROM 'topic_out' OR t.event_id <> said.id)
  OR t.id IS NULL AND said.type = 'topic_out' AND g.id IS NOT NULL
LIMIT %(most)s;

-- name: due
-- Whose chains have grown since their last seal, which is some time ago.
SELECT h.company_id FROM addressbook_ledgerhead h
LEFT JOIN addressbook_ledgerhead top ON top.company_id = h.company_id AND top.shard = 64
LEFT JOIN addressbook_ledgerseal s ON s.company_id = h.company_id AND s.number = top.position
WHERE h.shard < 64 AND h.position > coalesce(s.reach[h.shard + 1], 0)
GROUP BY h.company_id, s.sealed_at
HAVING s.sealed_at IS NULL OR s.sealed_at NOT BETWEEN clock_timestamp() - %(every)s * interval '1 second' AND clock_timestamp()
ORDER BY h.company_id;

-- name: seal
SELECT ledger_seal_v1(%(company)s);

-- name: sealed
SELECT hash FROM addressbook_ledgerseal WHERE company_id = %(company)s AND number = %(number)s;
