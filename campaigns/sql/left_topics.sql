-- Topics that people have left, as the last look of dispatch asks after them. Functions, so that a look at a batch is
-- no dearer to plan for what it hardly ever needs.

-- Whether anybody has left a topic that this campaign is for.
CREATE FUNCTION campaign_has_left_topics_v1(p_campaign bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_group bigint;
BEGIN
  FOR v_group IN SELECT g.group_id FROM campaigns_campaign_groups g WHERE g.campaign_id = p_campaign LOOP
    IF EXISTS (SELECT FROM addressbook_topicleft l WHERE l.group_id = v_group) THEN
      RETURN true;
    END IF;
  END LOOP;
  RETURN false;
END $$;

-- Whether this address has left a topic of the campaign, and is in none of its other groups.
CREATE FUNCTION campaign_topic_left_v1(p_company bigint, p_campaign bigint, p_contact bigint, p_digest bytea)
    RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_groups bigint[];
  v_left bigint[];
BEGIN
  SELECT array_agg(l.group_id) INTO v_left FROM addressbook_topicleft l
    WHERE l.company_id = p_company AND l.digest = p_digest;
  IF v_left IS NULL THEN
    RETURN false;
  END IF;
  SELECT array_agg(g.group_id) INTO v_groups FROM campaigns_campaign_groups g WHERE g.campaign_id = p_campaign;
  RETURN v_groups && v_left AND NOT EXISTS (SELECT FROM addressbook_groupcontact m
    WHERE m.contact_id = p_contact AND m.group_id = ANY(v_groups) AND m.group_id <> ALL(v_left));
END $$;
