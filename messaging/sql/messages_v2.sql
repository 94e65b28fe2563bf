-- Rules of messages, kept by the database whatever the code does; second version, for a million at a time.
--
-- What is written in bulk (an audience, a batch's outcome, a cancelled campaign) says so with the setting
-- `stopgate.bulk` and keeps counts and walls itself, once per statement. Everything else meets the row triggers.
DROP TRIGGER message_transition ON messaging_message;
DROP TRIGGER message_walls ON messaging_message;
DROP TRIGGER message_tally_insert ON messaging_message;
DROP TRIGGER message_tally_update ON messaging_message;
DROP FUNCTION message_walls();
DROP FUNCTION message_tally_insert();
DROP FUNCTION message_tally_update();

-- A status never goes back. What may have been taken (unknown) is settled by a report or by the worker that
-- handed it over; "suppressed" and "cancelled" are ends. The condition is the rule; the function only complains.
CREATE OR REPLACE FUNCTION message_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a message cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER message_transition BEFORE UPDATE OF status ON messaging_message
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT coalesce(CASE OLD.status
    WHEN 'queued' THEN NEW.status IN ('deferred', 'sent', 'delivered', 'failed', 'unknown', 'suppressed', 'cancelled')
    WHEN 'deferred' THEN NEW.status IN ('queued', 'suppressed', 'cancelled')
    WHEN 'sent' THEN NEW.status IN ('delivered', 'failed')
    WHEN 'failed' THEN NEW.status = 'delivered'
    WHEN 'unknown' THEN NEW.status IN ('sent', 'delivered', 'failed') END, false))
  EXECUTE FUNCTION message_transition();

-- Batch, campaign and contact are of the message's own company (promise 4); the batch knows between which ids its
-- messages are, because an index by batch would cost a million insertions; and the campaign counts it.
CREATE FUNCTION message_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE messaging_batch SET first_id = least(first_id, NEW.id), last_id = greatest(last_id, NEW.id)
    WHERE id = NEW.batch_id AND company_id = NEW.company_id AND campaign_id IS NOT DISTINCT FROM NEW.campaign_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a message belongs to the company of its batch' USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF NEW.contact_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM addressbook_contact c WHERE c.id = NEW.contact_id AND c.company_id = NEW.company_id) THEN
    RAISE EXCEPTION 'a message is to a contact of its company' USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF TG_OP = 'INSERT' AND NEW.campaign_id IS NOT NULL THEN
    INSERT INTO messaging_tally (campaign_id, status, delta) VALUES (NEW.campaign_id, NEW.status, 1);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER message_added AFTER INSERT ON messaging_message
  FOR EACH ROW WHEN (current_setting('stopgate.bulk', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION message_added();
CREATE TRIGGER message_moved AFTER UPDATE OF batch_id, campaign_id, company_id ON messaging_message
  FOR EACH ROW WHEN ((OLD.batch_id, OLD.campaign_id, OLD.company_id)
    IS DISTINCT FROM (NEW.batch_id, NEW.campaign_id, NEW.company_id)) EXECUTE FUNCTION message_added();

-- Counts per campaign and status, as changes.
CREATE FUNCTION message_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO messaging_tally (campaign_id, status, delta)
    VALUES (NEW.campaign_id, OLD.status, -1), (NEW.campaign_id, NEW.status, 1);
  RETURN NULL;
END $$;
CREATE TRIGGER message_tally AFTER UPDATE OF status ON messaging_message
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.campaign_id IS NOT NULL
    AND current_setting('stopgate.bulk', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION message_tally();

-- What became of each message of a batch, and the batch's end, in one round trip. A result that comes after the
-- batch was given up for dead still settles what is unknown.
CREATE FUNCTION batch_outcome_v1(p_batch bigint, p_worker uuid, p_gap_ms float8, p_sent_at timestamptz, p_ids bigint[],
    p_statuses text[], p_texts text[], p_encodings text[], p_segments smallint[], p_provider_ids text[], p_errors text[])
    RETURNS void LANGUAGE plpgsql SET stopgate.bulk = 'on' AS $$
DECLARE
  v_from text;
  v_campaign bigint;
BEGIN
  UPDATE messaging_batch SET status = 'done', look_to_send_ms = p_gap_ms
    WHERE id = p_batch AND claimed_by = p_worker RETURNING campaign_id INTO v_campaign;
  FOREACH v_from IN ARRAY ARRAY['queued', 'unknown'] LOOP
    WITH o AS (
      SELECT o.id, o.status, coalesce(o.text, '') AS text, coalesce(o.encoding, '') AS encoding, o.segments,
        coalesce(o.provider_id, '') AS provider_id, coalesce(o.error, '') AS error
      FROM unnest(p_ids, p_statuses, p_texts, p_encodings, p_segments, p_provider_ids, p_errors)
        AS o(id, status, text, encoding, segments, provider_id, error)
      WHERE v_from = 'queued' OR status NOT IN ('suppressed', 'unknown')),
    settled AS (
      UPDATE messaging_message m SET status = o.status, text = o.text, encoding = o.encoding, segments = o.segments,
        provider_id = o.provider_id, error = o.error,
        sent_at = CASE WHEN o.status IN ('sent', 'delivered', 'unknown') THEN p_sent_at END,
        delivered_at = CASE WHEN o.status = 'delivered' THEN p_sent_at END
      FROM o WHERE m.id = o.id AND m.status = v_from
      RETURNING m.status),
    counted AS (SELECT status, count(*) AS n FROM settled GROUP BY status)
    INSERT INTO messaging_tally (campaign_id, status, delta)
      SELECT v_campaign, x.status, x.n FROM (
        SELECT status, n FROM counted UNION ALL SELECT v_from, -sum(n) FROM counted HAVING sum(n) > 0) x
      WHERE v_campaign IS NOT NULL;
    EXIT WHEN v_from = 'queued' AND NOT EXISTS (
      SELECT FROM messaging_message m WHERE m.id = ANY(p_ids) AND m.status = 'unknown' LIMIT 1);
  END LOOP;
END $$;

-- A campaign's waiting messages in batches that nobody has claimed (the caller holds them) become `cancelled`.
CREATE FUNCTION campaign_cancel_v1(p_campaign bigint, p_batches bigint[]) RETURNS void
    LANGUAGE plpgsql SET stopgate.bulk = 'on' AS $$
BEGIN
  WITH was AS (
    SELECT id, status FROM messaging_message
    WHERE campaign_id = p_campaign AND batch_id = ANY(p_batches) AND status IN ('queued', 'deferred') FOR UPDATE),
  ended AS (
    UPDATE messaging_message m SET status = 'cancelled' FROM was WHERE m.id = was.id RETURNING was.status)
  INSERT INTO messaging_tally (campaign_id, status, delta)
    SELECT p_campaign, x.status, x.n FROM (
      SELECT status, -count(*) AS n FROM ended GROUP BY status
      UNION ALL SELECT 'cancelled', count(*) FROM ended HAVING count(*) > 0) x;
END $$;
