-- A plain STOP in one call (optout/stops.py): stored, read and in force, confirmed and told, or nothing of all that.
--
-- Plain is what concerns the gateway's own company alone, for certain, and is not older than a START. For anything else
-- no row comes back and nothing has happened: optout/replies.py takes the long way, with the same rules.

-- The confirmation, as optout/answers.py writes it; false when there must be none. p_answer: texts by language, with
-- {company} in them, the destination's language, and the kinds of gateways that carry SMS.
CREATE FUNCTION stop_confirm_v1(p_company accounts_company, p_address text, p_digest bytea, p_country text, p_number text,
    p_sender text, p_language text, p_answer jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_gateway bigint;
  v_sender text;
  v_digits text := ltrim(p_address, '+');
  v_tokens float8;
  v_contact record;
  v_language text;
  v_text text;
  v_batch bigint;
BEGIN
  SELECT g.id INTO v_gateway FROM messaging_gateway g
    WHERE g.company_id = p_company.id AND g.switched_off_at IS NULL AND p_answer->'kinds' ? g.kind
    ORDER BY NOT g.is_default, g.kind = 'simulator', g.id LIMIT 1;
  IF v_gateway IS NULL OR EXISTS (SELECT FROM messaging_sender s WHERE s.value IN (v_digits, '+' || v_digits)) THEN
    RETURN false;
  END IF;
  -- accounts.limits.take: one a day.
  INSERT INTO accounts_bucket AS b (key, tokens, updated_at)
    VALUES (left('answer:opt_out:' || p_company.id || ':' || encode(p_digest, 'hex'), 100), 0, clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET updated_at = clock_timestamp(), tokens = greatest(-1,
      -1 + least(1, b.tokens + extract(epoch FROM clock_timestamp() - b.updated_at) / (p_answer->>'seconds')::float8))
    RETURNING tokens INTO v_tokens;
  IF v_tokens < 0 THEN
    RETURN false;
  END IF;
  SELECT s.value INTO v_sender FROM messaging_sender s
    WHERE (s.company_id = p_company.id OR s.company_id IS NULL) AND s.kind <> 'alphanumeric'
      AND p_number <> '' AND s.value IN (p_number, '+' || p_number)
    ORDER BY s.value, s.country LIMIT 1;
  SELECT c.id, c.language INTO v_contact FROM addressbook_contact c
    WHERE c.company_id = p_company.id AND c.phone_digest = p_digest LIMIT 1;
  v_language := coalesce(nullif(p_language, ''), nullif(v_contact.language, ''), p_answer->>'language', p_company.language);
  v_text := coalesce(p_answer->'texts'->>v_language, p_answer->'texts'->>split_part(v_language, '-', 1),
    p_answer->'texts'->>p_company.language, p_answer->'texts'->>'en');
  INSERT INTO messaging_batch (company_id, gateway_id, category, status, due_at, deferred, pinned)
    VALUES (p_company.id, v_gateway, 'transactional', 'queued', clock_timestamp(), false, false) RETURNING id INTO v_batch;
  INSERT INTO messaging_message (company_id, contact_id, batch_id, readdressed, category, channel, address, digest, country,
      language, sender, method, reply_code, status, subject, text, encoding, segments, provider_id, error, created_at)
    VALUES (p_company.id, v_contact.id, v_batch, false, 'transactional', 'sms', p_address, p_digest, p_country,
      v_language, coalesce(v_sender, p_sender, ''), '', '', 'queued', '', btrim(replace(v_text, '{company}', p_company.name)),
      '', 0, '', '', clock_timestamp());
  RETURN true;
END $$;

-- p_answer: NULL when no confirmation may go out. `problem` is the SQLSTATE of what went wrong: with a reply_id it was
-- only the confirmation that did.
CREATE FUNCTION consent_by_reply_v1(p_company bigint, p_gateway bigint, p_provider_id text, p_address text, p_digest bytea,
    p_country text, p_to text, p_text text, p_provider_meaning text, p_received_at timestamptz, p_source text,
    p_evidence jsonb, p_answer jsonb)
    RETURNS TABLE (reply_id bigint, is_answered boolean, problem text) LANGUAGE plpgsql AS $$
DECLARE
  v_number text := ltrim(p_to, '+');
  v_company accounts_company;
  v_owners record;
  v_message record;
  v_already boolean;
BEGIN
  is_answered := false;
  problem := '';
  -- The same lock as lock_replies. What is read after it sees everything that was committed before it.
  PERFORM pg_advisory_xact_lock(('x' || encode(substr(p_digest, 1, 8), 'hex'))::bit(64)::bigint);
  SELECT coalesce(bool_or(s.company_id IS NULL), false) AS shared, coalesce(bool_or(s.company_id = p_company), false) AS ours,
      count(*) AS n INTO v_owners
    FROM (SELECT x.company_id, x.country IN ('', p_country) AS here, bool_or(x.country IN ('', p_country)) OVER () AS any_here
      FROM messaging_sender x WHERE x.kind <> 'alphanumeric' AND x.value IN (v_number, '+' || v_number)) s
    WHERE s.here OR NOT s.any_here;
  IF v_owners.shared
    OR p_answer IS NOT NULL AND EXISTS (SELECT FROM messaging_route r WHERE r.company_id = p_company AND r.channel = 'sms')
    OR EXISTS (SELECT FROM messaging_reply r WHERE r.company_id = p_company AND r.digest = p_digest
      AND r.gateway_id = p_gateway AND r.meaning = 'opt_in' AND r.received_at > p_received_at) THEN
    RETURN;
  END IF;
  -- As latest_messages: first what showed or named the number, then whatever this company wrote last.
  SELECT x.id, x.campaign_id, coalesce(k.name, '') AS campaign_name, x.sender, x.language INTO v_message
    FROM messaging_message x JOIN messaging_batch b ON b.id = x.batch_id
    LEFT JOIN campaigns_campaign k ON k.id = x.campaign_id
    WHERE x.id = ANY(ARRAY(SELECT messages_to_v1(p_company, ARRAY[p_digest]))) AND x.category = 'marketing'
      AND (x.status IN ('sent', 'delivered', 'failed', 'unknown') OR x.status IN ('queued', 'deferred') AND b.status = 'handing')
      AND coalesce(x.sent_at, b.claimed_at, x.created_at) <= p_received_at + interval '2 minutes'
    ORDER BY v_number = '' OR v_number IN (ltrim(x.reply_code, '+'), ltrim(x.sender, '+')) DESC,
      coalesce(x.sent_at, b.claimed_at, x.created_at) DESC, x.id DESC
    LIMIT 1;
  IF v_message.id IS NULL AND v_owners.n > 0 AND NOT v_owners.ours THEN
    RETURN;
  END IF;

  INSERT INTO messaging_reply (company_id, gateway_id, provider_id, sender, digest, country, "to", text, meaning,
      provider_meaning, received_at, read_at)
    VALUES (p_company, p_gateway, p_provider_id, p_address, p_digest, p_country, p_to, p_text, 'opt_out',
      p_provider_meaning, p_received_at, clock_timestamp())
    ON CONFLICT (gateway_id, provider_id) DO NOTHING
    RETURNING id INTO reply_id;
  IF reply_id IS NULL THEN
    RETURN;
  END IF;
  SELECT * INTO STRICT v_company FROM accounts_company c WHERE c.id = p_company;
  SELECT l.already INTO STRICT v_already FROM consent_leave_v1(p_company, p_source, 'sms', p_digest, p_address,
    CASE WHEN v_company.opt_out_scope = 'channel' THEN ARRAY['sms'] ELSE ARRAY['email', 'sms'] END,
    jsonb_build_object('campaign_id', v_message.campaign_id, 'campaign_name', coalesce(v_message.campaign_name, ''),
      'message_id', v_message.id, 'country', p_country, 'occurred_at', p_received_at), p_evidence) l;
  UPDATE optout_reviewitem r SET decision = 'opt_out', decided_by_id = NULL, decided_at = clock_timestamp()
    WHERE r.company_id = p_company AND r.digest = p_digest AND r.decision = '';
  IF p_answer IS NOT NULL AND NOT v_already THEN
    BEGIN
      is_answered := stop_confirm_v1(v_company, p_address, p_digest, p_country, v_number, v_message.sender,
        v_message.language, p_answer);
    EXCEPTION WHEN others THEN
      problem := SQLSTATE;  -- an answer that fails must not take the opt-out with it
    END;
  END IF;
  PERFORM webhook_event_v1(p_company, 'reply.received', reply_id, v_message.id);
  RETURN NEXT;
EXCEPTION WHEN others THEN
  reply_id := NULL;
  is_answered := false;
  problem := SQLSTATE;
  RETURN NEXT;
END $$;
