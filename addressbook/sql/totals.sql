-- name: totals
-- Of a whole address book. Joined, not asked row by row: the same with EXISTS takes 25 times as long,
-- because inside a FILTER the planner cannot turn it into a join.
SELECT count(*),
  count(*) FILTER (WHERE c.phone_digest IS NOT NULL AND s.id IS NULL OR c.email_digest IS NOT NULL AND e.id IS NULL),
  count(*) FILTER (WHERE s.id IS NOT NULL OR e.id IS NOT NULL)
FROM addressbook_contact c
LEFT JOIN addressbook_suppression s
  ON s.company_id = %(company)s AND s.channel = 'sms' AND s.digest = c.phone_digest
LEFT JOIN addressbook_suppression e
  ON e.company_id = %(company)s AND e.channel = 'email' AND e.digest = c.email_digest
WHERE c.company_id = %(company)s;

-- name: sample
-- The same of some: runs of contacts that begin at places spread evenly over the address book.
WITH ends AS (
  SELECT (SELECT id FROM addressbook_contact WHERE company_id = %(company)s ORDER BY id LIMIT 1) AS first,
         (SELECT id FROM addressbook_contact WHERE company_id = %(company)s ORDER BY id DESC LIMIT 1) AS last),
picked AS MATERIALIZED (
  SELECT DISTINCT c.id, c.phone_digest, c.email_digest
  FROM ends, generate_series(0, %(runs)s - 1) i,
    LATERAL (SELECT id, phone_digest, email_digest FROM addressbook_contact
      WHERE company_id = %(company)s AND id >= first + (last - first + 1) * i / %(runs)s
      ORDER BY id LIMIT %(length)s) c),
marked AS (
  SELECT c.phone_digest, c.email_digest,
    EXISTS (SELECT FROM addressbook_suppression s
      WHERE s.company_id = %(company)s AND s.channel = 'sms' AND s.digest = c.phone_digest) AS sms_out,
    EXISTS (SELECT FROM addressbook_suppression s
      WHERE s.company_id = %(company)s AND s.channel = 'email' AND s.digest = c.email_digest) AS email_out
  FROM picked c OFFSET 0)
SELECT count(*),
  count(*) FILTER (WHERE phone_digest IS NOT NULL AND NOT sms_out OR email_digest IS NOT NULL AND NOT email_out),
  count(*) FILTER (WHERE sms_out OR email_out)
FROM marked;
