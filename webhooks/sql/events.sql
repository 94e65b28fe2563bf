-- What happened is written down for every endpoint that listens, in the transaction in which it happened: nothing is
-- lost in a crash, and nothing is told that did not happen. A row names its subject by id and holds nobody's data; what
-- is told about the subject is read when it is told (webhooks/payloads.py). Without an endpoint this is one look at an
-- index.

CREATE FUNCTION webhook_event_v1(p_company bigint, p_type text, p_subject bigint, p_about bigint DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- Lane 1 is for what happens a million at a time, so that an opt-out is not told after a campaign.
  INSERT INTO webhooks_delivery (company_id, endpoint_id, type, subject_id, about_id, status, token, lane, created_at,
      due_at, attempts, error)
    SELECT p_company, e.id, p_type, p_subject, p_about, '', gen_random_uuid(), 0, clock_timestamp(), clock_timestamp(), 0, ''
    FROM webhooks_endpoint e
    WHERE e.company_id = p_company AND e.disabled_at IS NULL AND p_type = ANY(e.events);
END $$;

CREATE FUNCTION webhook_suppression() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM webhook_event_v1(NEW.company_id, 'suppression.created', NEW.event_id);
  ELSE
    -- The opt-in that ended it; event_digest.
    PERFORM webhook_event_v1(OLD.company_id, 'suppression.lifted', (
      SELECT max(c.id) FROM addressbook_consentevent c
      WHERE c.company_id = OLD.company_id AND c.digest = OLD.digest AND c.channel = OLD.channel AND c.type = 'opt_in'));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_suppression AFTER INSERT OR DELETE ON addressbook_suppression
  FOR EACH ROW EXECUTE FUNCTION webhook_suppression();

-- Messages change a million at a time, and mostly nobody listens. So each statement first looks who does, once; the
-- condition on its rows then costs next to nothing, and only the rows of companies that listen are told. This holds for
-- whatever statement changes messages, in bulk (setting stopgate.bulk) or one by one. Of many listening companies each
-- row looks for itself.
CREATE FUNCTION webhook_listeners() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('stopgate.listeners', (
    SELECT CASE WHEN count(*) > 100 THEN '*' ELSE coalesce(',' || string_agg(DISTINCT company_id::text, ',') || ',', '') END
    FROM (SELECT company_id FROM webhooks_endpoint
      WHERE disabled_at IS NULL AND 'message.updated' = ANY(events) LIMIT 101) e), true);
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_listeners BEFORE UPDATE OF status ON messaging_message
  FOR EACH STATEMENT EXECUTE FUNCTION webhook_listeners();

CREATE FUNCTION webhook_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- As webhook_event_v1, without the call, which would be half of what a row costs.
  INSERT INTO webhooks_delivery (company_id, endpoint_id, type, subject_id, status, token, lane, created_at, due_at, attempts,
      error)
    SELECT NEW.company_id, e.id, 'message.updated', NEW.id, NEW.status, gen_random_uuid(), 1, clock_timestamp(),
      clock_timestamp(), 0, ''
    FROM webhooks_endpoint e
    WHERE e.company_id = NEW.company_id AND e.disabled_at IS NULL AND 'message.updated' = ANY(e.events);
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_message AFTER UPDATE OF status ON messaging_message
  FOR EACH ROW WHEN (current_setting('stopgate.listeners', true) <> '' AND OLD.status IS DISTINCT FROM NEW.status
    AND (current_setting('stopgate.listeners', true) = '*'
      OR position(',' || NEW.company_id || ',' IN current_setting('stopgate.listeners', true)) > 0))
  EXECUTE FUNCTION webhook_message();
