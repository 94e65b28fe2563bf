-- Messages that wait for their hours: `deferred`, in batches of their own that are due when the hours begin.
--
-- From there they leave like queued ones: no second version of a row only to say that its hour has come.
DROP TRIGGER message_transition ON messaging_message;
CREATE TRIGGER message_transition BEFORE UPDATE OF status ON messaging_message
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT coalesce(CASE OLD.status
    WHEN 'queued' THEN NEW.status IN ('deferred', 'sent', 'delivered', 'failed', 'unknown', 'suppressed', 'cancelled')
    WHEN 'deferred' THEN NEW.status IN ('queued', 'sent', 'delivered', 'failed', 'unknown', 'suppressed', 'cancelled')
    WHEN 'sent' THEN NEW.status IN ('delivered', 'failed')
    WHEN 'failed' THEN NEW.status = 'delivered'
    WHEN 'unknown' THEN NEW.status IN ('sent', 'delivered', 'failed') END, false))
  EXECUTE FUNCTION message_transition();

-- Whoever moves messages in bulk keeps the batches' ids and the walls itself.
DROP TRIGGER message_moved ON messaging_message;
CREATE TRIGGER message_moved AFTER UPDATE OF batch_id, campaign_id, company_id ON messaging_message
  FOR EACH ROW WHEN ((OLD.batch_id, OLD.campaign_id, OLD.company_id)
    IS DISTINCT FROM (NEW.batch_id, NEW.campaign_id, NEW.company_id)
    AND current_setting('stopgate.bulk', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION message_added();

-- As in messages_v2.sql, for queued and deferred messages alike.
CREATE OR REPLACE FUNCTION batch_outcome_v1(p_batch bigint, p_worker uuid, p_gap_ms float8, p_sent_at timestamptz,
    p_ids bigint[], p_statuses text[], p_texts text[], p_encodings text[], p_segments smallint[], p_provider_ids text[],
    p_errors text[]) RETURNS void LANGUAGE plpgsql SET stopgate.bulk = 'on' AS $$
DECLARE
  v_from text;
  v_campaign bigint;
BEGIN
  UPDATE messaging_batch SET status = 'done', look_to_send_ms = p_gap_ms
    WHERE id = p_batch AND claimed_by = p_worker RETURNING campaign_id INTO v_campaign;
  FOREACH v_from IN ARRAY ARRAY['queued', 'deferred', 'unknown'] LOOP
    WITH o AS (
      SELECT o.id, o.status, coalesce(o.text, '') AS text, coalesce(o.encoding, '') AS encoding, o.segments,
        coalesce(o.provider_id, '') AS provider_id, coalesce(o.error, '') AS error
      FROM unnest(p_ids, p_statuses, p_texts, p_encodings, p_segments, p_provider_ids, p_errors)
        AS o(id, status, text, encoding, segments, provider_id, error)
      WHERE v_from <> 'unknown' OR status NOT IN ('suppressed', 'unknown')),
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
      SELECT FROM messaging_message m WHERE m.id = ANY(p_ids) AND m.status IN ('deferred', 'unknown') LIMIT 1);
  END LOOP;
END $$;

-- Messages of a claimed batch that may not leave at this hour wait in a batch of their own. The campaign's row is read
-- under a lock, so that a pause or cancel at this moment either finds the new batch or is seen here.
CREATE FUNCTION batch_defer_v1(p_batch bigint, p_worker uuid, p_ids bigint[], p_until timestamptz) RETURNS void
    LANGUAGE plpgsql SET stopgate.bulk = 'on' AS $$
DECLARE
  b messaging_batch;
  v_campaign text;
  v_later bigint;
  v_to text := 'deferred';
BEGIN
  SELECT * INTO b FROM messaging_batch WHERE id = p_batch AND claimed_by = p_worker AND status = 'handing';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT status INTO v_campaign FROM campaigns_campaign WHERE id = b.campaign_id FOR SHARE;
  IF v_campaign = 'cancelled' THEN
    v_to := 'cancelled';
  ELSE
    INSERT INTO messaging_batch (company_id, gateway_id, campaign_id, category, status, due_at, deferred, tried_since,
        first_id, last_id)
      VALUES (b.company_id, b.gateway_id, b.campaign_id, b.category,
        CASE WHEN v_campaign = 'paused' THEN 'held' ELSE 'queued' END, p_until, true,
        b.tried_since + (p_until - clock_timestamp()),  -- this wait is not the gateway's
        (SELECT min(i) FROM unnest(p_ids) i), (SELECT max(i) FROM unnest(p_ids) i))
      RETURNING id INTO v_later;
  END IF;
  WITH was AS (
    SELECT id, status FROM messaging_message
    WHERE id = ANY(p_ids) AND batch_id = b.id AND status IN ('queued', 'deferred') FOR UPDATE),
  moved AS (
    UPDATE messaging_message m SET status = v_to, batch_id = coalesce(v_later, m.batch_id)
    FROM was WHERE m.id = was.id RETURNING was.status)
  INSERT INTO messaging_tally (campaign_id, status, delta)
    SELECT b.campaign_id, x.status, x.n FROM (
      SELECT status, -count(*) AS n FROM moved WHERE status <> v_to GROUP BY status
      UNION ALL SELECT v_to, count(*) FROM moved WHERE status <> v_to HAVING count(*) > 0) x
    WHERE b.campaign_id IS NOT NULL;
END $$;
