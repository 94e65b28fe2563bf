-- name: look_up
-- For many addresses at once: do we hold exactly this one, and since when is it suppressed?
-- Or since and until when has the person paused? That is asked only of a company with pauses.
-- By one_suppression, one_pause, one_contact_per_phone and one_contact_per_email.
SELECT coalesce(s.address = w.address, false) OR EXISTS (
    SELECT FROM addressbook_contact c WHERE c.company_id = %(company)s AND w.channel = 'sms'
      AND c.phone_digest = w.digest AND c.phone = w.address), s.since,
  CASE WHEN s.id IS NULL AND (SELECT EXISTS (SELECT FROM addressbook_pause
      WHERE company_id = %(company)s AND until > statement_timestamp()))
    THEN (SELECT ARRAY[e.occurred_at, p.until] FROM addressbook_pause p
      JOIN addressbook_consentevent e ON e.id = p.event_id
      WHERE p.company_id = %(company)s AND p.channel = w.channel AND p.digest = w.digest
        AND p.until > statement_timestamp()) END
FROM (
  SELECT n, decode(hex, 'hex') AS digest, address, CASE WHEN address LIKE '%%@%%' THEN 'email' ELSE 'sms' END AS channel
  FROM ROWS FROM (unnest(%(digests)s::text[]), string_to_table(%(addresses)s, E'\n')) WITH ORDINALITY AS w(hex, address, n)
) w
LEFT JOIN addressbook_suppression s
  ON s.company_id = %(company)s AND s.channel = w.channel AND s.digest = w.digest
ORDER BY w.n;
