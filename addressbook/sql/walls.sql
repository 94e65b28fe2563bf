-- A group and its contacts are of one company, whatever the code does.
ALTER TABLE addressbook_groupcontact
  ADD CONSTRAINT group_of_same_company FOREIGN KEY (company_id, group_id)
    REFERENCES addressbook_group (company_id, id) ON DELETE CASCADE,
  ADD CONSTRAINT contact_of_same_company FOREIGN KEY (company_id, contact_id)
    REFERENCES addressbook_contact (company_id, id) ON DELETE CASCADE;
