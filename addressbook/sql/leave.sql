-- An opt-out in one call: finds the other address of the same contact and leaves with it (consent.opt_out).
--
-- p_channels: those that the opt-out covers. Opt-outs share the lock from reading the contact's other address until they
-- commit; who gives a contact a new address takes it alone (consent.COVER_LOCK).
CREATE FUNCTION consent_leave_v1(p_company bigint, p_source text, p_channel text, p_digest bytea, p_address text,
    p_channels text[], p_facts jsonb, p_evidence jsonb)
    RETURNS TABLE (event_id bigint, already boolean) LANGUAGE plpgsql AS $$
DECLARE
  v_acting jsonb := jsonb_build_object('channel', p_channel, 'digest', encode(p_digest, 'hex'), 'address', p_address);
  v_others jsonb;
BEGIN
  IF p_channels <> ARRAY[p_channel] THEN
    PERFORM pg_advisory_xact_lock_shared(p_company::int, -2);
    -- A statement of its own, so that it sees what was committed before the lock was had.
    SELECT jsonb_agg(jsonb_build_object('channel', a.channel, 'digest', encode(a.digest, 'hex'), 'address', a.address))
      INTO v_others
      FROM addressbook_contact c,
        LATERAL (VALUES ('sms', c.phone_digest, c.phone), ('email', c.email_digest, c.email)) a(channel, digest, address)
      WHERE c.id IN (
          SELECT id FROM addressbook_contact WHERE company_id = p_company AND phone_digest = p_digest
          UNION ALL SELECT id FROM addressbook_contact WHERE company_id = p_company AND email_digest = p_digest)
        AND a.digest <> p_digest AND a.channel = ANY(p_channels);
  END IF;
  RETURN QUERY SELECT * FROM consent_opt_out_v1(p_company, p_source,
    CASE WHEN p_channel = ANY(p_channels) OR v_others IS NULL THEN jsonb_build_array(v_acting) ELSE '[]' END
      || coalesce(v_others, '[]'), p_facts, p_evidence);
END $$;
