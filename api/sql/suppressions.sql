-- name: look_up
-- For many addresses at once: do we hold exactly this one, and since when is it suppressed?
-- By one_suppression, one_contact_per_phone and one_contact_per_email.
SELECT w.n, coalesce(s.address = w.address, false) OR EXISTS (
    SELECT FROM addressbook_contact c WHERE c.company_id = %(company)s AND w.channel = 'sms'
      AND c.phone_digest = w.digest AND c.phone = w.address), s.since
FROM unnest(%(channels)s::text[], %(digests)s::bytea[], %(addresses)s::text[])
  WITH ORDINALITY AS w(channel, digest, address, n)
LEFT JOIN addressbook_suppression s
  ON s.company_id = %(company)s AND s.channel = w.channel AND s.digest = w.digest;
