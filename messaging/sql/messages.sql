-- Rules of messages, kept by the database whatever the code does.

-- A status never goes back. What may have been taken (unknown) is settled by a report or
-- by the worker that handed it over; "suppressed" and "cancelled" are ends.
CREATE FUNCTION message_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.status, NEW.status) NOT IN (
      ('queued', 'deferred'), ('queued', 'sent'), ('queued', 'delivered'), ('queued', 'failed'),
      ('queued', 'unknown'), ('queued', 'suppressed'), ('queued', 'cancelled'),
      ('deferred', 'queued'), ('deferred', 'suppressed'), ('deferred', 'cancelled'),
      ('sent', 'delivered'), ('sent', 'failed'), ('failed', 'delivered'),
      ('unknown', 'sent'), ('unknown', 'delivered'), ('unknown', 'failed')) THEN
    RAISE EXCEPTION 'a message cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER message_transition BEFORE UPDATE OF status ON messaging_message
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION message_transition();

-- Counts per campaign and status, as changes; one small row per statement and status.
CREATE FUNCTION message_tally_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO messaging_tally (campaign_id, status, delta)
    SELECT campaign_id, status, count(*) FROM added WHERE campaign_id IS NOT NULL GROUP BY 1, 2;
  RETURN NULL;
END $$;
-- Batch, campaign and contact are of the message's own company (promise 4). Once per
-- statement, for messages that come a million at a time; contacts are looked up only
-- for small statements, because the audience takes them from the company's own rows.
CREATE FUNCTION message_walls() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
      SELECT FROM (SELECT DISTINCT company_id, batch_id, campaign_id FROM added) m
      LEFT JOIN messaging_batch b ON b.id = m.batch_id
      WHERE (b.company_id, b.campaign_id) IS DISTINCT FROM (m.company_id, m.campaign_id)) THEN
    RAISE EXCEPTION 'a message belongs to the company of its batch' USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF (SELECT count(*) FROM (SELECT FROM added LIMIT 100) few) < 100 AND EXISTS (
      SELECT FROM added m LEFT JOIN addressbook_contact c ON c.id = m.contact_id
      WHERE m.contact_id IS NOT NULL AND c.company_id IS DISTINCT FROM m.company_id) THEN
    RAISE EXCEPTION 'a message is to a contact of its company' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER message_walls AFTER INSERT ON messaging_message
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION message_walls();

CREATE TRIGGER message_tally_insert AFTER INSERT ON messaging_message
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION message_tally_insert();

CREATE FUNCTION message_tally_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO messaging_tally (campaign_id, status, delta)
    SELECT campaign_id, status, sum(d) FROM (
      SELECT campaign_id, status, 1 AS d FROM now_rows
      UNION ALL SELECT campaign_id, status, -1 FROM was_rows) x
    WHERE campaign_id IS NOT NULL GROUP BY 1, 2 HAVING sum(d) <> 0;
  RETURN NULL;
END $$;
CREATE TRIGGER message_tally_update AFTER UPDATE ON messaging_message
  REFERENCING OLD TABLE AS was_rows NEW TABLE AS now_rows FOR EACH STATEMENT EXECUTE FUNCTION message_tally_update();
