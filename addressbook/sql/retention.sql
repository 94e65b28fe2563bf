-- name: old_messages
-- Up to which id messages are old enough. Ids grow with time, for all companies together, so a window of ids is looked
-- at and no index by time is needed. What still waits to be sent holds the mark: it is emptied when it has left.
WITH w AS (SELECT id, company_id, created_at, status FROM messaging_message WHERE id > %(mark)s ORDER BY id LIMIT %(window)s)
SELECT max(id) FROM w
WHERE id < coalesce((SELECT min(id) FROM w WHERE created_at >= %(before)s
  OR company_id = %(company)s AND status IN ('queued', 'deferred')), 9223372036854775807);

-- name: empty_messages
UPDATE messaging_message SET address = '', text = '', subject = '', error = ''
WHERE id > %(mark)s AND id <= %(upto)s AND company_id = %(company)s AND (address <> '' OR text <> '' OR subject <> '' OR error <> '');

-- name: old_replies
-- A reply that nobody has read or decided holds the mark: what may be a no is never thrown away.
WITH w AS (SELECT r.id, r.company_id, r.received_at, r.read_at FROM messaging_reply r WHERE r.id > %(mark)s ORDER BY r.id LIMIT %(window)s)
SELECT max(id) FROM w
WHERE id < coalesce((SELECT min(w.id) FROM w LEFT JOIN optout_reviewitem v ON v.reply_id = w.id AND v.decision = ''
  WHERE w.received_at >= %(before)s OR w.company_id = %(company)s AND (w.read_at IS NULL OR v.id IS NOT NULL)),
  9223372036854775807);

-- name: empty_replies
UPDATE messaging_reply SET sender = '', text = ''
WHERE id > %(mark)s AND id <= %(upto)s AND company_id = %(company)s AND (sender <> '' OR text <> '');

-- name: handsets
DELETE FROM messaging_handsetmessage WHERE id IN (
  SELECT id FROM messaging_handsetmessage WHERE company_id = %(company)s AND received_at < %(before)s LIMIT %(window)s);

-- name: rejected_rows
DELETE FROM addressbook_rejectedrow WHERE id IN (
  SELECT r.id FROM addressbook_import i JOIN addressbook_rejectedrow r ON r.import_run_id = i.id
  WHERE i.company_id = %(company)s AND i.created_at < %(before)s LIMIT %(window)s);

-- name: files
-- Of imports that nobody went on with; the others' files go when they end.
DELETE FROM addressbook_filepiece WHERE id IN (
  SELECT p.id FROM addressbook_import i JOIN addressbook_filepiece p ON p.import_run_id = i.id
  WHERE i.company_id = %(company)s AND i.created_at < %(before)s AND i.status NOT IN ('queued', 'running', 'undoing') LIMIT 20);
