-- The ledger's rules, kept by the database whatever the code does.
--
-- consent_opt_out and consent_opt_in are the only ways a suppression comes or goes.
-- Both write event, evidence and suppression in the caller's transaction.

-- Append-only. ---------------------------------------------------------------
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON addressbook_consentevent
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON addressbook_consentevent
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER suppression_no_truncate BEFORE TRUNCATE ON addressbook_suppression
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

-- The text that a line's hash covers. ------------------------------------------
CREATE FUNCTION ledger_line_v1(e addressbook_consentevent) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT convert_to(jsonb_build_array(
    'v1', e.company_id, e.shard, e.position, encode(e.previous_hash, 'hex'), e.type, e.source, e.channel,
    encode(e.digest, 'hex'), e.cause_id, e.campaign_id, e.campaign_name, e.message_id, e.country, e.reason,
    extract(epoch FROM e.occurred_at), extract(epoch FROM e.recorded_at), encode(e.evidence_hash, 'hex'))::text, 'UTF8')
$$;

-- Each line takes the next place of its chain. The head row is locked until the
-- transaction ends, so events of one address are in one order for everybody.
CREATE FUNCTION ledger_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head addressbook_ledgerhead;
BEGIN
  NEW.recorded_at := clock_timestamp();
  NEW.shard := get_byte(NEW.digest, 0) & 63;
  INSERT INTO addressbook_ledgerhead (company_id, shard, position, hash)
    VALUES (NEW.company_id, NEW.shard, 0, '\x')
    ON CONFLICT (company_id, shard) DO NOTHING;
  SELECT * INTO head FROM addressbook_ledgerhead
    WHERE company_id = NEW.company_id AND shard = NEW.shard FOR UPDATE;
  NEW.position := head.position + 1;
  NEW.previous_hash := head.hash;
  NEW.hash := sha256(ledger_line_v1(NEW));
  UPDATE addressbook_ledgerhead SET position = NEW.position, hash = NEW.hash WHERE id = head.id;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_chain BEFORE INSERT ON addressbook_consentevent
  FOR EACH ROW EXECUTE FUNCTION ledger_chain();

-- A suppression follows from an opt-out of the same address, and ends only by a newer opt-in. --
CREATE FUNCTION suppression_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT FROM addressbook_consentevent e
        WHERE e.company_id = OLD.company_id AND e.digest = OLD.digest AND e.channel = OLD.channel
          AND e.type = 'opt_in' AND e.id > OLD.event_id) THEN
      RAISE EXCEPTION 'a suppression ends only by a recorded opt-in' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.company_id, NEW.channel, NEW.digest, NEW.event_id, NEW.source, NEW.since)
      IS DISTINCT FROM (OLD.company_id, OLD.channel, OLD.digest, OLD.event_id, OLD.source, OLD.since) THEN
    RAISE EXCEPTION 'a suppression does not change' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM addressbook_consentevent e
      WHERE e.id = NEW.event_id AND e.company_id = NEW.company_id AND e.digest = NEW.digest
        AND e.channel = NEW.channel AND e.type = 'opt_out') THEN
    RAISE EXCEPTION 'a suppression follows from an opt-out in the ledger' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER suppression_guard BEFORE INSERT OR UPDATE OR DELETE ON addressbook_suppression
  FOR EACH ROW EXECUTE FUNCTION suppression_guard();

-- One event with its evidence; returns its id. ------------------------------------
CREATE FUNCTION consent_event(p_type text, p_company bigint, p_source text, p_channel text, p_digest bytea,
    p_address text, p_cause bigint, p_facts jsonb, p_evidence jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_id bigint;
  v_comment text := coalesce(p_facts->>'comment', '');
BEGIN
  INSERT INTO addressbook_consentevent (type, company_id, source, channel, digest, cause_id, campaign_id,
      campaign_name, message_id, country, reason, occurred_at, evidence_hash)
    VALUES (p_type, p_company, p_source, p_channel, p_digest, p_cause, (p_facts->>'campaign_id')::bigint,
      coalesce(p_facts->>'campaign_name', ''), (p_facts->>'message_id')::bigint,
      coalesce(p_facts->>'country', ''), coalesce(p_facts->>'reason', ''),
      coalesce((p_facts->>'occurred_at')::timestamptz, clock_timestamp()),
      sha256(convert_to(jsonb_build_array(p_address, v_comment, p_evidence)::text, 'UTF8')))
    RETURNING id INTO v_id;
  INSERT INTO addressbook_evidence (event_id, company_id, address, comment, details)
    VALUES (v_id, p_company, p_address, v_comment, p_evidence);
  RETURN v_id;
END $$;

-- Opt out. p_targets: [{channel, digest (hex), address}], the acting address first, in one act.
-- Writes one event per address that was not yet out, its suppression, and takes the
-- address's waiting marketing messages out of the queue. Batches that a worker has
-- already claimed are left to its last look. Returns the acting address's event id,
-- or NULL when it was out before.
CREATE FUNCTION consent_opt_out_v1(p_company bigint, p_source text, p_targets jsonb, p_facts jsonb, p_evidence jsonb)
    RETURNS TABLE (event_id bigint, already boolean) LANGUAGE plpgsql AS $$
DECLARE
  t record;
  v_first bigint;
  v_event bigint;
  v_already boolean := false;
  n int := 0;
BEGIN
  -- All chains of this act in one order, so that two acts cannot wait for each other.
  PERFORM pg_advisory_xact_lock(p_company::int, shard) FROM (
    SELECT DISTINCT get_byte(decode(x->>'digest', 'hex'), 0) & 63 AS shard
    FROM jsonb_array_elements(p_targets) x ORDER BY 1) s;
  FOR t IN SELECT x->>'channel' AS channel, decode(x->>'digest', 'hex') AS digest, x->>'address' AS address
      FROM jsonb_array_elements(p_targets) WITH ORDINALITY AS y(x, o) ORDER BY o LOOP
    n := n + 1;
    SELECT s.event_id INTO v_event FROM addressbook_suppression s
      WHERE s.company_id = p_company AND s.channel = t.channel AND s.digest = t.digest;
    IF FOUND THEN
      IF n = 1 THEN v_first := v_event; v_already := true; END IF;
      CONTINUE;
    END IF;
    v_event := consent_event('opt_out', p_company, p_source, t.channel, t.digest, t.address,
      CASE WHEN n > 1 THEN v_first END, p_facts, p_evidence);
    IF n = 1 THEN v_first := v_event; END IF;
    INSERT INTO addressbook_suppression (company_id, channel, digest, address, event_id, source, since)
      VALUES (p_company, t.channel, t.digest, t.address, v_event, p_source,
        coalesce((p_facts->>'occurred_at')::timestamptz, clock_timestamp()));
    UPDATE messaging_message m SET status = 'suppressed'
      WHERE m.company_id = p_company AND m.digest = t.digest AND m.channel = t.channel
        AND m.category = 'marketing' AND m.status IN ('queued', 'deferred')
        AND m.batch_id IN (SELECT b.id FROM messaging_batch b
          WHERE b.id IN (SELECT w.batch_id FROM messaging_message w
              WHERE w.company_id = p_company AND w.digest = t.digest AND w.status IN ('queued', 'deferred'))
            AND b.status IN ('queued', 'held') FOR SHARE);
  END LOOP;
  RETURN QUERY SELECT v_first, v_already;
END $$;

-- Opt in: one event per address, with evidence; lifts what it finds. Returns the acting address's event id.
CREATE FUNCTION consent_opt_in_v1(p_company bigint, p_source text, p_targets jsonb, p_facts jsonb, p_evidence jsonb)
    RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  t record;
  v_first bigint;
  v_event bigint;
BEGIN
  IF p_evidence IS NULL OR p_evidence = '{}'::jsonb THEN
    RAISE EXCEPTION 'an opt-in needs evidence' USING ERRCODE = 'check_violation';
  END IF;
  PERFORM pg_advisory_xact_lock(p_company::int, shard) FROM (
    SELECT DISTINCT get_byte(decode(x->>'digest', 'hex'), 0) & 63 AS shard
    FROM jsonb_array_elements(p_targets) x ORDER BY 1) s;
  FOR t IN SELECT x->>'channel' AS channel, decode(x->>'digest', 'hex') AS digest, x->>'address' AS address
      FROM jsonb_array_elements(p_targets) WITH ORDINALITY AS y(x, o) ORDER BY o LOOP
    v_event := consent_event('opt_in', p_company, p_source, t.channel, t.digest, t.address, v_first, p_facts, p_evidence);
    v_first := coalesce(v_first, v_event);
    DELETE FROM addressbook_suppression s
      WHERE s.company_id = p_company AND s.channel = t.channel AND s.digest = t.digest;
  END LOOP;
  RETURN v_first;
END $$;
