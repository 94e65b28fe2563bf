-- Back only by a newer consent: what was agreed to before an opt-out does not lift it, however late it is handed in.
-- With the suppression the whole act is refused, so nothing is recorded that would look like a consent after the opt-out.
--
-- A moment that is written to the minute or the second may have been any moment of it. An opt-out that claims to be
-- of the future (somebody's clock is ahead) counts from when it was recorded.
CREATE FUNCTION suppression_newer_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_out timestamptz;
  v_in timestamptz;
BEGIN
  SELECT least(OLD.since, o.recorded_at) INTO v_out FROM addressbook_consentevent o WHERE o.id = OLD.event_id;
  SELECT i.occurred_at + CASE i.occurred_at WHEN date_trunc('minute', i.occurred_at) THEN interval '1 minute'
      WHEN date_trunc('second', i.occurred_at) THEN interval '1 second' ELSE interval '0' END INTO v_in
    FROM addressbook_consentevent i
    WHERE i.company_id = OLD.company_id AND i.digest = OLD.digest AND i.channel = OLD.channel
      AND i.type = 'opt_in' AND i.id > OLD.event_id
    ORDER BY i.id DESC LIMIT 1;
  IF v_in < v_out THEN
    RAISE EXCEPTION 'a suppression ends only by a consent that is newer than the opt-out' USING
      ERRCODE = 'check_violation', CONSTRAINT = 'consent_newer_than_opt_out', DETAIL = to_jsonb(v_out) #>> '{}';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER suppression_newer_consent BEFORE DELETE ON addressbook_suppression
  FOR EACH ROW EXECUTE FUNCTION suppression_newer_consent();
