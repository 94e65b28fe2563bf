-- A message's second version, which says what became of it, is written beside the first.

-- Rows are written once and changed once, and the change brings the text: with room left on its page for a second
-- version that is longer than the first, no index learns of it. Pages fill up to what they would have held anyway.
ALTER TABLE messaging_message SET (fillfactor = 40);

-- After the row, because a trigger before it makes PostgreSQL lock each row first, in a step and a log record of its own.
-- The rule is that of quiet_hours.sql; a row that breaks it still ends its statement.
DROP TRIGGER message_transition ON messaging_message;
CREATE TRIGGER message_transition AFTER UPDATE OF status ON messaging_message
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT coalesce(CASE OLD.status
    WHEN 'queued' THEN NEW.status IN ('deferred', 'sent', 'delivered', 'failed', 'unknown', 'suppressed', 'cancelled')
    WHEN 'deferred' THEN NEW.status IN ('queued', 'sent', 'delivered', 'failed', 'unknown', 'suppressed', 'cancelled')
    WHEN 'sent' THEN NEW.status IN ('delivered', 'failed')
    WHEN 'failed' THEN NEW.status = 'delivered'
    WHEN 'unknown' THEN NEW.status IN ('sent', 'delivered', 'failed') END, false))
  EXECUTE FUNCTION message_transition();

-- What became of each message of a batch, and the batch's end. A result that comes after the batch was given up for
-- dead still settles what is unknown. Each list comes as one text, which is read several times faster than an array of
-- parameters; a list of one value holds for all.
CREATE FUNCTION batch_outcome_v2(p_batch bigint, p_worker uuid, p_gap_ms float8, p_sent_at timestamptz, p_ids text,
    p_statuses text, p_texts text, p_encodings text, p_segments text, p_provider_ids text, p_errors text)
    RETURNS void LANGUAGE plpgsql SET stopgate.bulk = 'on' AS $$
DECLARE
  v_ids bigint[] := string_to_array(p_ids, E'\x1e');
  v_statuses text[] := string_to_array(p_statuses, E'\x1e');
  v_texts text[] := string_to_array(p_texts, E'\x1e');
  v_encodings text[] := string_to_array(p_encodings, E'\x1e');
  v_segments smallint[] := string_to_array(p_segments, E'\x1e');
  v_provider_ids text[] := string_to_array(p_provider_ids, E'\x1e');
  v_errors text[] := string_to_array(p_errors, E'\x1e');
  v_from text;
  v_campaign bigint;
  v_settled bigint;
  v_left bigint := cardinality(v_ids);
BEGIN
  UPDATE messaging_batch SET status = 'done', look_to_send_ms = p_gap_ms
    WHERE id = p_batch AND claimed_by = p_worker RETURNING campaign_id INTO v_campaign;
  FOREACH v_from IN ARRAY ARRAY['queued', 'deferred', 'unknown'] LOOP
    WITH o AS (
      SELECT o.id, coalesce(o.status, v_statuses[1]) AS status, coalesce(o.text, v_texts[1], '') AS text,
        coalesce(o.encoding, v_encodings[1], '') AS encoding, coalesce(o.segments, v_segments[1]) AS segments,
        coalesce(o.provider_id, v_provider_ids[1], '') AS provider_id, coalesce(o.error, v_errors[1], '') AS error
      FROM unnest(v_ids, v_statuses, v_texts, v_encodings, v_segments, v_provider_ids, v_errors)
        AS o(id, status, text, encoding, segments, provider_id, error)),
    settled AS (
      UPDATE messaging_message m SET status = o.status, text = o.text, encoding = o.encoding, segments = o.segments,
        provider_id = o.provider_id, error = o.error,
        sent_at = CASE WHEN o.status IN ('sent', 'delivered', 'unknown') THEN p_sent_at END,
        delivered_at = CASE WHEN o.status = 'delivered' THEN p_sent_at END
      FROM o WHERE m.id = o.id AND m.status = v_from
        AND (v_from <> 'unknown' OR o.status NOT IN ('suppressed', 'unknown'))
      RETURNING m.status),
    counted AS (SELECT status, count(*) AS n FROM settled GROUP BY status),
    told AS (
      INSERT INTO messaging_tally (campaign_id, status, delta)
        SELECT v_campaign, x.status, x.n FROM (
          SELECT status, n FROM counted UNION ALL SELECT v_from, -sum(n) FROM counted HAVING sum(n) > 0) x
        WHERE v_campaign IS NOT NULL)
    SELECT coalesce(sum(n), 0) INTO v_settled FROM counted;
    v_left := v_left - v_settled;
    EXIT WHEN v_left = 0;
  END LOOP;
END $$;

-- Claims the next batch. Companies take turns, in the order of their ids and round again: p_after is whose turn it was,
-- so that a million messages of one keep another's hundred waiting for one batch. Within a company whoever is due first.
-- SKIP LOCKED lets any number of workers claim side by side. Index batch_turn; of a company whose first batch is not due,
-- nothing else is read.
CREATE FUNCTION batch_claim_v1(p_worker uuid, p_category text, p_after bigint) RETURNS SETOF messaging_batch
    LANGUAGE plpgsql AS $$
DECLARE
  v_company bigint := p_after;
  v_due timestamptz;
  v_round boolean := false;
BEGIN
  LOOP
    SELECT b.company_id, b.due_at INTO v_company, v_due FROM messaging_batch b
      WHERE b.status = 'queued' AND b.category = p_category AND b.company_id > v_company
      ORDER BY b.category, b.company_id, b.due_at, b.id LIMIT 1;
    IF NOT FOUND AND NOT v_round THEN
      v_round := true;
      v_company := 0;
      CONTINUE;
    END IF;
    EXIT WHEN v_company IS NULL OR v_round AND v_company > p_after;
    IF v_due <= clock_timestamp() THEN
      RETURN QUERY UPDATE messaging_batch SET status = 'handing', claimed_at = clock_timestamp(), claimed_by = p_worker
        WHERE id = (
          SELECT b.id FROM messaging_batch b
          WHERE b.status = 'queued' AND b.category = p_category AND b.company_id = v_company
            AND b.due_at <= clock_timestamp()
          ORDER BY b.due_at, b.id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING *;
      EXIT WHEN FOUND;
    END IF;
  END LOOP;
END $$;
