-- name: problems
-- Everything that is wrong with the ledger, in one statement, so that all its parts see
-- one moment while others go on writing. Reads every line once; locks nothing.
-- Each kind is cut off at %(most)s rows: the first few say what happened.
WITH line AS (
  SELECT e.*, hash <> sha256(ledger_line_v1(e)) AS altered,
         row_number() OVER chain AS expected_position,
         coalesce(lag(hash) OVER chain, ''::bytea) AS expected_previous
  FROM addressbook_consentevent e
  WHERE %(company)s::bigint IS NULL OR company_id = %(company)s
  WINDOW chain AS (PARTITION BY company_id, shard ORDER BY position)
), last_line AS (
  SELECT DISTINCT ON (company_id, shard) company_id, shard, position, hash
  FROM line ORDER BY company_id, shard, position DESC
), head AS (
  SELECT company_id, shard, position, hash FROM addressbook_ledgerhead
  WHERE %(company)s::bigint IS NULL OR company_id = %(company)s
), suppression AS (
  SELECT * FROM addressbook_suppression
  WHERE %(company)s::bigint IS NULL OR company_id = %(company)s
), latest AS (
  SELECT DISTINCT ON (company_id, channel, digest) company_id, channel, digest, id, type
  FROM line WHERE type IN ('opt_out', 'opt_in') ORDER BY company_id, channel, digest, id DESC
)
(SELECT 'altered' AS kind, company_id, id FROM line WHERE altered LIMIT %(most)s)
UNION ALL
(SELECT 'gap', company_id, id FROM line WHERE position <> expected_position LIMIT %(most)s)
UNION ALL
(SELECT 'broken_chain', company_id, id FROM line WHERE previous_hash <> expected_previous LIMIT %(most)s)
UNION ALL
(SELECT 'head', coalesce(h.company_id, l.company_id), coalesce(h.shard, l.shard)
  FROM head h FULL JOIN last_line l ON (l.company_id, l.shard) = (h.company_id, h.shard)
  WHERE h.position IS DISTINCT FROM l.position OR h.hash IS DISTINCT FROM l.hash LIMIT %(most)s)
UNION ALL
(SELECT 'no_evidence', l.company_id, l.id FROM line l
  LEFT JOIN addressbook_evidence v ON v.event_id = l.id AND v.company_id = l.company_id
  WHERE v.event_id IS NULL LIMIT %(most)s)
UNION ALL
(SELECT 'evidence_altered', l.company_id, l.id FROM line l
  JOIN addressbook_evidence v ON v.event_id = l.id AND v.company_id = l.company_id
  WHERE v.erased_at IS NULL AND l.evidence_hash
    <> sha256(convert_to(jsonb_build_array(v.address, v.comment, v.details)::text, 'UTF8')) LIMIT %(most)s)
UNION ALL
(SELECT 'without_event', s.company_id, s.id FROM suppression s
  LEFT JOIN line l ON l.id = s.event_id AND l.type = 'opt_out'
    AND (l.company_id, l.channel, l.digest, l.source) = (s.company_id, s.channel, s.digest, s.source)
  WHERE l.id IS NULL LIMIT %(most)s)
UNION ALL
(SELECT 'outlived_opt_in', s.company_id, s.id FROM suppression s
  JOIN latest t ON (t.company_id, t.channel, t.digest) = (s.company_id, s.channel, s.digest)
  WHERE t.type = 'opt_in' LIMIT %(most)s)
UNION ALL
(SELECT 'not_in_force', t.company_id, t.id FROM latest t
  LEFT JOIN suppression s ON (t.company_id, t.channel, t.digest) = (s.company_id, s.channel, s.digest)
  WHERE t.type = 'opt_out' AND s.id IS NULL LIMIT %(most)s);
