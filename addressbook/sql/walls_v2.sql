-- A group and its contacts are of one company, whatever the code does: as the foreign keys of walls.sql, but looked up
-- once per statement. A row at a time, those took a quarter of the time that an import's contact takes.
ALTER TABLE addressbook_groupcontact
  DROP CONSTRAINT group_of_same_company,
  DROP CONSTRAINT contact_of_same_company;

-- Locked as by a foreign key, so that neither goes before this is committed. Who writes the members together with their
-- contacts has seen to both already and says so (messaging/bulk.py).
CREATE FUNCTION membership_walls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('stopgate.bulk', true) = 'on' THEN
    RETURN NULL;
  END IF;
  PERFORM FROM addressbook_group g WHERE g.id IN (SELECT a.group_id FROM added a) ORDER BY g.id FOR KEY SHARE;
  PERFORM FROM addressbook_contact c WHERE c.id IN (SELECT a.contact_id FROM added a) ORDER BY c.id FOR KEY SHARE;
  -- A statement of its own: it sees who went while those waited.
  IF EXISTS (SELECT FROM added a
      LEFT JOIN addressbook_group g ON g.id = a.group_id AND g.company_id = a.company_id
      LEFT JOIN addressbook_contact c ON c.id = a.contact_id AND c.company_id = a.company_id
      WHERE g.id IS NULL OR c.id IS NULL) THEN
    RAISE EXCEPTION 'a group has contacts of its own company only' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER membership_walls AFTER INSERT ON addressbook_groupcontact REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION membership_walls();

-- Members go with their group and with their contact.
CREATE FUNCTION membership_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'addressbook_group' THEN
    DELETE FROM addressbook_groupcontact m USING gone WHERE m.group_id = gone.id;
  ELSE
    DELETE FROM addressbook_groupcontact m USING gone WHERE m.contact_id = gone.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER membership_gone AFTER DELETE ON addressbook_group REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION membership_gone();
CREATE TRIGGER membership_gone AFTER DELETE ON addressbook_contact REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION membership_gone();

-- None of the three changes sides.
CREATE FUNCTION membership_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% belongs where it is', TG_TABLE_NAME USING ERRCODE = 'foreign_key_violation';
END $$;
CREATE TRIGGER membership_stays BEFORE UPDATE OF company_id, group_id, contact_id ON addressbook_groupcontact
  FOR EACH ROW
  WHEN ((OLD.company_id, OLD.group_id, OLD.contact_id) IS DISTINCT FROM (NEW.company_id, NEW.group_id, NEW.contact_id))
  EXECUTE FUNCTION membership_stays();
CREATE TRIGGER membership_stays BEFORE UPDATE OF id, company_id ON addressbook_group
  FOR EACH ROW WHEN ((OLD.id, OLD.company_id) IS DISTINCT FROM (NEW.id, NEW.company_id))
  EXECUTE FUNCTION membership_stays();
CREATE TRIGGER membership_stays BEFORE UPDATE OF id, company_id ON addressbook_contact
  FOR EACH ROW WHEN ((OLD.id, OLD.company_id) IS DISTINCT FROM (NEW.id, NEW.company_id))
  EXECUTE FUNCTION membership_stays();

-- A contact's company is there, and stays.
CREATE FUNCTION contact_company() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM accounts_company y WHERE y.id IN (SELECT a.company_id FROM added a) ORDER BY y.id FOR KEY SHARE;
  IF EXISTS (SELECT FROM added a WHERE NOT EXISTS (SELECT FROM accounts_company y WHERE y.id = a.company_id)) THEN
    RAISE EXCEPTION 'a contact belongs to a company' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER contact_company AFTER INSERT ON addressbook_contact REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION contact_company();
CREATE FUNCTION company_has_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM addressbook_contact c WHERE c.company_id = OLD.id) THEN
    RAISE EXCEPTION 'the company has contacts' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER company_has_contacts AFTER DELETE ON accounts_company
  FOR EACH ROW EXECUTE FUNCTION company_has_contacts();
CREATE TRIGGER company_keeps_its_id AFTER UPDATE OF id ON accounts_company
  FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION company_has_contacts();

-- Thousands of ids in a row, and the pieces of a file that is soon gone: packing them takes longer than writing them.
ALTER TABLE addressbook_filepiece ALTER content SET STORAGE EXTERNAL;
ALTER TABLE addressbook_importedcontacts ALTER contacts SET STORAGE EXTERNAL;
