-- name: gather
-- Everybody whose message of this campaign failed, into a group.
INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)
SELECT m.company_id, %(group)s, m.contact_id FROM messaging_message m
WHERE m.campaign_id = %(campaign)s AND m.company_id = %(company)s AND m.status = 'failed' AND m.contact_id IS NOT NULL
ON CONFLICT (group_id, contact_id) DO NOTHING;
