-- name: lines
-- Each line of one address with the text that its hash covers, and whether both hashes still fit.
SELECT e.id, convert_from(ledger_line_v1(e), 'UTF8'),
  e.hash = sha256(ledger_line_v1(e)) AND coalesce(v.erased_at IS NOT NULL OR e.evidence_hash
    = sha256(convert_to(jsonb_build_array(v.address, v.comment, v.details)::text, 'UTF8')), false)
FROM addressbook_consentevent e
LEFT JOIN addressbook_evidence v ON v.event_id = e.id AND v.company_id = e.company_id
WHERE e.company_id = %(company)s AND e.channel = %(channel)s AND e.digest = %(digest)s
ORDER BY e.position DESC LIMIT %(most)s;
