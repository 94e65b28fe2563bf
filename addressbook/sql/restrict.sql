-- name: refusal
-- Why privileges would mean nothing to this role; no row when they do.
SELECT CASE WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolcreaterole AND current_setting('server_version_num')::int < 160000 THEN 'may make itself a member of any role'
    ELSE 'owns the ledger, or is a member of the role that does' END
FROM pg_roles r
WHERE r.rolname = %(role)s AND (r.rolsuper
  OR r.rolcreaterole AND current_setting('server_version_num')::int < 160000
  OR EXISTS (SELECT FROM pg_class c WHERE c.oid = ANY(ARRAY[
      'addressbook_consentevent', 'addressbook_evidence', 'addressbook_suppression', 'addressbook_ledgerhead',
      'addressbook_ledgerseal', 'addressbook_pause', 'addressbook_topicleft']::regclass[]) AND pg_has_role(r.oid, c.relowner, 'MEMBER')));

-- name: known
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s);

-- name: restrict
REVOKE ALL ON addressbook_consentevent, addressbook_evidence, addressbook_suppression, addressbook_ledgerhead,
  addressbook_ledgerseal, addressbook_pause, addressbook_topicleft FROM PUBLIC, {role};
GRANT SELECT ON addressbook_consentevent, addressbook_evidence, addressbook_suppression, addressbook_ledgerhead,
  addressbook_ledgerseal, addressbook_pause, addressbook_topicleft TO {role};
GRANT UPDATE (address, comment, details, erased_at) ON addressbook_evidence TO {role};
GRANT UPDATE (address) ON addressbook_suppression TO {role};
GRANT EXECUTE ON FUNCTION consent_event, consent_opt_out_v1, consent_opt_in_v1, consent_prefer_v1, ledger_seal_v1 TO {role};
