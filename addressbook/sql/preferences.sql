-- Fewer messages instead of none. Pauses and left topics are what the ledger's lines `pause`, `pause_end`, `topic_out`
-- and `topic_in` say; nothing else writes them. A line's reason holds what was chosen: `pause:30`, `topic:12`.

ALTER TABLE addressbook_topicleft
  ADD CONSTRAINT topic_of_same_company FOREIGN KEY (company_id, group_id)
    REFERENCES addressbook_group (company_id, id) ON DELETE CASCADE;

-- What a line means. Runs in the transaction of the line, while its chain is locked.
CREATE FUNCTION preference_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_chosen bigint := CASE WHEN NEW.type IN ('pause', 'topic_out', 'topic_in') THEN split_part(NEW.reason, ':', 2)::bigint END;
  v_members int;
BEGIN
  CASE NEW.type
  WHEN 'pause' THEN
    IF EXISTS (SELECT FROM addressbook_suppression s
        WHERE s.company_id = NEW.company_id AND s.channel = NEW.channel AND s.digest = NEW.digest) THEN
      RAISE EXCEPTION 'who has opted out is not paused' USING ERRCODE = 'restrict_violation';
    END IF;
    -- In hours, so that a day has the same length in every session's time zone.
    INSERT INTO addressbook_pause (company_id, channel, digest, event_id, until)
      VALUES (NEW.company_id, NEW.channel, NEW.digest, NEW.id, NEW.occurred_at + v_chosen * interval '24 hours')
      ON CONFLICT (company_id, channel, digest) DO UPDATE SET event_id = EXCLUDED.event_id, until = EXCLUDED.until;
  WHEN 'topic_out' THEN
    DELETE FROM addressbook_groupcontact m USING addressbook_contact c
      WHERE m.group_id = v_chosen AND m.contact_id = c.id AND c.id IN (
        SELECT id FROM addressbook_contact WHERE company_id = NEW.company_id AND phone_digest = NEW.digest
        UNION ALL SELECT id FROM addressbook_contact WHERE company_id = NEW.company_id AND email_digest = NEW.digest);
    GET DIAGNOSTICS v_members = ROW_COUNT;
    INSERT INTO addressbook_topicleft (company_id, group_id, channel, digest, event_id, was_member)
      VALUES (NEW.company_id, v_chosen, NEW.channel, NEW.digest, NEW.id, v_members > 0);
  WHEN 'topic_in' THEN
    DELETE FROM addressbook_topicleft t
      WHERE t.group_id = v_chosen AND t.company_id = NEW.company_id AND t.channel = NEW.channel AND t.digest = NEW.digest;
  ELSE  -- A no takes the place of a pause; a yes ends it, unless it was said before.
    DELETE FROM addressbook_pause p
      WHERE p.company_id = NEW.company_id AND p.channel = NEW.channel AND p.digest = NEW.digest
        AND (NEW.type <> 'opt_in'
          OR NEW.occurred_at >= (SELECT e.occurred_at FROM addressbook_consentevent e WHERE e.id = p.event_id));
  END CASE;
  RETURN NULL;
END $$;
CREATE TRIGGER preference_follows AFTER INSERT ON addressbook_consentevent FOR EACH ROW
  WHEN (NEW.type IN ('opt_out', 'opt_in', 'pause', 'pause_end', 'topic_out', 'topic_in'))
  EXECUTE FUNCTION preference_follows();

-- By that trigger only, and a left topic goes with its group.
CREATE FUNCTION preference_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION '% follows from the ledger', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER preference_guard BEFORE INSERT OR UPDATE OR DELETE ON addressbook_pause
  FOR EACH ROW EXECUTE FUNCTION preference_guard();
CREATE TRIGGER preference_guard BEFORE INSERT OR UPDATE OR DELETE ON addressbook_topicleft
  FOR EACH ROW EXECUTE FUNCTION preference_guard();
CREATE TRIGGER pause_no_truncate BEFORE TRUNCATE ON addressbook_pause
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER topic_left_no_truncate BEFORE TRUNCATE ON addressbook_topicleft
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

-- Nobody is put back into a group whose topic they left: by no import, form, program or condition.
CREATE FUNCTION topic_stays_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM addressbook_topicleft t WHERE t.group_id IN (SELECT j.group_id FROM joined j)) THEN
    DELETE FROM addressbook_groupcontact m
      USING joined j
      JOIN addressbook_contact c ON c.id = j.contact_id
      JOIN addressbook_topicleft t ON t.group_id = j.group_id
        AND (t.digest = c.phone_digest OR t.digest = c.email_digest)
      WHERE m.id = j.id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER topic_stays_left AFTER INSERT ON addressbook_groupcontact REFERENCING NEW TABLE AS joined
  FOR EACH STATEMENT EXECUTE FUNCTION topic_stays_left();

-- One act of choosing fewer messages, or of taking that back; p_type as in the ledger, p_targets as in
-- consent_opt_out_v1. Writes a line for each address to which it changes something. Returns the acting address's
-- opt-out in force, if there is one: nothing is chosen then, for a no is more than any of these.
CREATE FUNCTION consent_prefer_v1(p_company bigint, p_type text, p_source text, p_targets jsonb, p_facts jsonb,
    p_evidence jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  t record;
  v_chosen bigint := nullif(split_part(p_facts->>'reason', ':', 2), '')::bigint;
  v_out bigint;
  v_first bigint;
  v_event bigint;
  v_changes boolean;
  v_back bytea[] := '{}';
BEGIN
  PERFORM pg_advisory_xact_lock(p_company::int, shard) FROM (
    SELECT DISTINCT get_byte(decode(x->>'digest', 'hex'), 0) & 63 AS shard
    FROM jsonb_array_elements(p_targets) x ORDER BY 1) s;
  SELECT s.event_id INTO v_out FROM addressbook_suppression s WHERE s.company_id = p_company
    AND s.channel = p_targets->0->>'channel' AND s.digest = decode(p_targets->0->>'digest', 'hex');
  IF v_out IS NOT NULL THEN
    RETURN v_out;
  END IF;
  FOR t IN SELECT x->>'channel' AS channel, decode(x->>'digest', 'hex') AS digest, x->>'address' AS address
      FROM jsonb_array_elements(p_targets) WITH ORDINALITY AS y(x, o) ORDER BY o LOOP
    v_changes := CASE p_type
      WHEN 'pause' THEN NOT EXISTS (SELECT FROM addressbook_suppression s
          WHERE s.company_id = p_company AND s.channel = t.channel AND s.digest = t.digest)
        -- Pressed twice, it is one pause.
        AND NOT EXISTS (SELECT FROM addressbook_pause p
          WHERE p.company_id = p_company AND p.channel = t.channel AND p.digest = t.digest
            AND clock_timestamp() + v_chosen * interval '24 hours' - p.until BETWEEN interval '0' AND interval '1 minute')
      WHEN 'pause_end' THEN EXISTS (SELECT FROM addressbook_pause p
          WHERE p.company_id = p_company AND p.channel = t.channel AND p.digest = t.digest)
      ELSE (p_type = 'topic_in') = EXISTS (SELECT FROM addressbook_topicleft l WHERE l.company_id = p_company
          AND l.group_id = v_chosen AND l.channel = t.channel AND l.digest = t.digest) END;
    IF NOT v_changes THEN
      CONTINUE;
    END IF;
    IF p_type = 'topic_in' AND EXISTS (SELECT FROM addressbook_topicleft l WHERE l.company_id = p_company
        AND l.group_id = v_chosen AND l.channel = t.channel AND l.digest = t.digest AND l.was_member) THEN
      v_back := v_back || t.digest;
    END IF;
    v_event := consent_event(p_type, p_company, p_source, t.channel, t.digest, t.address, v_first, p_facts, p_evidence);
    v_first := coalesce(v_first, v_event);
  END LOOP;
  IF cardinality(v_back) > 0 THEN
    INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)
      SELECT p_company, v_chosen, c.id FROM addressbook_contact c
      WHERE c.company_id = p_company AND (c.phone_digest = ANY(v_back) OR c.email_digest = ANY(v_back))
      ON CONFLICT (group_id, contact_id) DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION consent_prefer_v1(bigint, text, text, jsonb, jsonb, jsonb)
    SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
  REVOKE EXECUTE ON FUNCTION consent_prefer_v1(bigint, text, text, jsonb, jsonb, jsonb) FROM PUBLIC;
END $$;

-- What a company's opt-out page offers to leave, as text: [[group, its name there, {language: name}], …].
CREATE FUNCTION landing_topics_v1(p_company bigint) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_array(g.id, g.topic, g.topic_texts) ORDER BY g.topic, g.id)::text, '')
  FROM (SELECT id, topic, topic_texts FROM addressbook_group
    WHERE company_id = p_company AND topic <> '' ORDER BY topic, id LIMIT 8) g
$$;
