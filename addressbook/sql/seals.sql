-- Seals over the ledger's chains, and what the database refuses or grants beside ledger.sql.
--
-- Within a chain the head row is locked until its transaction has committed (ledger_chain), so what anybody
-- can see of a chain is its beginning without gaps, however late a transaction commits: a seal therefore
-- names a position in each chain, never an id or a time, and nothing can come in below it afterwards.

-- What a seal's hash covers: its own facts, then id and hash of each of its lines.
CREATE FUNCTION ledger_sealed_v1(s addressbook_ledgerseal, p_from bigint[]) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT convert_to(jsonb_build_array('seal v1', s.company_id, s.number, encode(s.previous_hash, 'hex'),
      extract(epoch FROM s.sealed_at), s.reach)::text
    || coalesce((
      SELECT string_agg(e.line, '' ORDER BY chain, e.position)
      FROM generate_subscripts(s.reach, 1) chain
      CROSS JOIN LATERAL (
        SELECT position, E'\n' || id || ' ' || encode(hash, 'hex') AS line FROM addressbook_consentevent
        WHERE company_id = s.company_id AND shard = chain - 1
          AND position > coalesce(p_from[chain], 0) AND position <= s.reach[chain] ORDER BY position OFFSET 0) e
      WHERE s.reach[chain] > coalesce(p_from[chain], 0)), ''), 'UTF8')
$$;

-- The next seal of a company, whatever the INSERT says; none when there is nothing new. Its own chain is the 65th
-- head, which also lets sealers take turns. At most 500 lines per chain, so that its text stays small.
CREATE FUNCTION seal_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head addressbook_ledgerhead;
  v_from bigint[];
BEGIN
  INSERT INTO addressbook_ledgerhead (company_id, shard, position, hash)
    VALUES (NEW.company_id, 64, 0, '\x')
    ON CONFLICT (company_id, shard) DO NOTHING;
  SELECT * INTO head FROM addressbook_ledgerhead
    WHERE company_id = NEW.company_id AND shard = 64 FOR UPDATE;
  SELECT reach INTO v_from FROM addressbook_ledgerseal
    WHERE company_id = NEW.company_id AND number = head.position;
  v_from := coalesce(v_from, array_fill(0::bigint, ARRAY[64]));
  NEW.reach := ARRAY(
    SELECT greatest(v_from[chain], least(coalesce(h.position, 0), v_from[chain] + 500))
    FROM generate_series(1, 64) chain
    LEFT JOIN addressbook_ledgerhead h ON h.company_id = NEW.company_id AND h.shard = chain - 1
    ORDER BY chain);
  IF NEW.reach = v_from THEN
    RETURN NULL;
  END IF;
  NEW.number := head.position + 1;
  NEW.previous_hash := head.hash;
  NEW.sealed_at := clock_timestamp();
  NEW.hash := sha256(ledger_sealed_v1(NEW, v_from));
  UPDATE addressbook_ledgerhead SET position = NEW.number, hash = NEW.hash WHERE id = head.id;
  RETURN NEW;
END $$;
CREATE TRIGGER seal_chain BEFORE INSERT ON addressbook_ledgerseal
  FOR EACH ROW EXECUTE FUNCTION seal_chain();
CREATE TRIGGER seal_append_only BEFORE UPDATE OR DELETE ON addressbook_ledgerseal
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER seal_no_truncate BEFORE TRUNCATE ON addressbook_ledgerseal
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

-- Seals a batch; NULL when all was sealed.
CREATE FUNCTION ledger_seal_v1(p_company bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_number bigint;
BEGIN
  INSERT INTO addressbook_ledgerseal (company_id) VALUES (p_company) RETURNING number INTO v_number;
  RETURN v_number;
END $$;

-- Heads move by the chains' own triggers only, one place at a time. ---------------------------
CREATE FUNCTION head_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 AND NEW.position = OLD.position + 1
      AND (NEW.id, NEW.company_id, NEW.shard) = (OLD.id, OLD.company_id, OLD.shard) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a chain''s head moves only with its lines' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER head_guard BEFORE UPDATE OR DELETE ON addressbook_ledgerhead
  FOR EACH ROW EXECUTE FUNCTION head_guard();
CREATE TRIGGER head_no_truncate BEFORE TRUNCATE ON addressbook_ledgerhead
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

-- Evidence may be erased, once and as a whole; it is never changed, and its row stays. ------------
CREATE FUNCTION evidence_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
      AND (NEW.event_id, NEW.company_id, NEW.address, NEW.comment, NEW.details)
        = (OLD.event_id, OLD.company_id, '', '', '{}'::jsonb) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'evidence can only be erased' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER evidence_guard BEFORE UPDATE OR DELETE ON addressbook_evidence
  FOR EACH ROW EXECUTE FUNCTION evidence_guard();
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON addressbook_evidence
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

-- As in ledger.sql, and: source and time are the opt-out's own, which must be the latest word of the
-- address; the address can only be emptied, by erasure.
CREATE OR REPLACE FUNCTION suppression_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  said addressbook_consentevent;
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT FROM addressbook_consentevent e
        WHERE e.company_id = OLD.company_id AND e.digest = OLD.digest AND e.channel = OLD.channel
          AND e.type = 'opt_in' AND e.id > OLD.event_id) THEN
      RAISE EXCEPTION 'a suppression ends only by a recorded opt-in' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
  END IF;
  IF TG_OP = 'UPDATE' AND ((NEW.company_id, NEW.channel, NEW.digest, NEW.event_id, NEW.source, NEW.since)
      IS DISTINCT FROM (OLD.company_id, OLD.channel, OLD.digest, OLD.event_id, OLD.source, OLD.since)
      OR NEW.address NOT IN (OLD.address, '')) THEN
    RAISE EXCEPTION 'a suppression does not change' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    SELECT * INTO said FROM addressbook_consentevent e
      WHERE e.company_id = NEW.company_id AND e.digest = NEW.digest AND e.channel = NEW.channel
        AND e.type IN ('opt_out', 'opt_in') ORDER BY e.position DESC LIMIT 1;
    IF said.id IS DISTINCT FROM NEW.event_id OR said.type IS DISTINCT FROM 'opt_out' THEN
      RAISE EXCEPTION 'a suppression follows from an opt-out in the ledger' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.source := said.source;
    NEW.since := said.occurred_at;
  END IF;
  RETURN NEW;
END $$;

-- What stood beside its opt-out by some microseconds, because each had looked at the clock itself.
ALTER TABLE addressbook_suppression DISABLE TRIGGER suppression_guard;
UPDATE addressbook_suppression s SET since = e.occurred_at FROM addressbook_consentevent e
  WHERE e.id = s.event_id AND e.company_id = s.company_id AND e.occurred_at <> s.since;
ALTER TABLE addressbook_suppression ENABLE TRIGGER suppression_guard;

-- The writers act with their owner's rights, so that the application's role needs none on the tables
-- (manage.py restrict_ledger). They look nothing up where others might put something of the same name.
DO $$
DECLARE
  writer text;
BEGIN
  FOREACH writer IN ARRAY ARRAY[
      'consent_event(text, bigint, text, text, bytea, text, bigint, jsonb, jsonb)',
      'consent_opt_out_v1(bigint, text, jsonb, jsonb, jsonb)',
      'consent_opt_in_v1(bigint, text, jsonb, jsonb, jsonb)',
      'ledger_seal_v1(bigint)'] LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', writer, current_schema());
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', writer);
  END LOOP;
END $$;
