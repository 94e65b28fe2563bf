-- Which messages went to an address.
--
-- A message has no index of its address: that would cost a million insertions in random order per campaign. It is found
-- through the contact who has the address; messages whose contact has it no longer, or who have no contact, are few and
-- have an index of their own (message_on_its_own).
CREATE FUNCTION messages_to_v1(p_company bigint, p_digests bytea[]) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
  SELECT m.id FROM addressbook_contact c JOIN messaging_message m ON m.contact_id = c.id AND m.digest = ANY(p_digests)
  WHERE c.company_id = p_company AND c.phone_digest = ANY(p_digests)
  UNION
  SELECT m.id FROM addressbook_contact c JOIN messaging_message m ON m.contact_id = c.id AND m.digest = ANY(p_digests)
  WHERE c.company_id = p_company AND c.email_digest = ANY(p_digests)
  UNION
  SELECT m.id FROM messaging_message m
  WHERE (m.contact_id IS NULL OR m.readdressed) AND m.company_id = p_company AND m.digest = ANY(p_digests)
$$;

-- A contact gets another address, or goes: messages to the address that it had stand on their own.
CREATE FUNCTION contact_readdressed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    UPDATE messaging_message SET contact_id = NULL WHERE contact_id = OLD.id;
  ELSE
    UPDATE messaging_message SET readdressed = true WHERE contact_id = OLD.id AND NOT readdressed
      AND digest IS DISTINCT FROM NEW.phone_digest AND digest IS DISTINCT FROM NEW.email_digest;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER contact_readdressed AFTER UPDATE OF phone_digest, email_digest ON addressbook_contact
  FOR EACH ROW WHEN ((OLD.phone_digest, OLD.email_digest) IS DISTINCT FROM (NEW.phone_digest, NEW.email_digest))
  EXECUTE FUNCTION contact_readdressed();
CREATE TRIGGER contact_gone AFTER DELETE ON addressbook_contact
  FOR EACH ROW EXECUTE FUNCTION contact_readdressed();

-- The waiting marketing messages to an address are taken out of the queue. Batches that a worker has already claimed
-- are left to its last look.
CREATE FUNCTION withhold_waiting_v1(p_company bigint, p_channel text, p_digest bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_waiting bigint[];
BEGIN
  SELECT array_agg(m.id) INTO v_waiting FROM messaging_message m
    WHERE m.id IN (SELECT messages_to_v1(p_company, ARRAY[p_digest]))
      AND m.channel = p_channel AND m.category = 'marketing' AND m.status IN ('queued', 'deferred');
  IF v_waiting IS NULL THEN
    RETURN;
  END IF;
  UPDATE messaging_message m SET status = 'suppressed'
    WHERE m.id = ANY(v_waiting) AND m.status IN ('queued', 'deferred')
      AND m.batch_id IN (SELECT b.id FROM messaging_batch b
        WHERE b.id IN (SELECT w.batch_id FROM messaging_message w WHERE w.id = ANY(v_waiting))
          AND b.status IN ('queued', 'held') FOR SHARE);
END $$;

-- Opt out. p_targets: [{channel, digest (hex), address}], the acting address first, in one act.
-- Writes one event per address that was not yet out, its suppression, and takes the
-- address's waiting marketing messages out of the queue. Batches that a worker has
-- already claimed are left to its last look. Returns the acting address's event id,
-- or NULL when it was out before.
CREATE OR REPLACE FUNCTION consent_opt_out_v1(p_company bigint, p_source text, p_targets jsonb, p_facts jsonb, p_evidence jsonb)
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
    PERFORM withhold_waiting_v1(p_company, t.channel, t.digest);
  END LOOP;
  RETURN QUERY SELECT v_first, v_already;
END $$;

