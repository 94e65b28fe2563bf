-- What was done to a campaign stays written, whatever the code does.
CREATE FUNCTION campaign_action_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER campaign_action_append_only BEFORE UPDATE OR DELETE ON campaigns_action
  FOR EACH ROW EXECUTE FUNCTION campaign_action_refuse();
CREATE TRIGGER campaign_action_no_truncate BEFORE TRUNCATE ON campaigns_action
  FOR EACH STATEMENT EXECUTE FUNCTION campaign_action_refuse();
