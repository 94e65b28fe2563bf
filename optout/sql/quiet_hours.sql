-- Who switched quiet hours off, why and when stays written, whatever the code does.
CREATE FUNCTION quiet_hours_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER quiet_hours_append_only BEFORE UPDATE OR DELETE ON optout_quiethoursswitch
  FOR EACH ROW EXECUTE FUNCTION quiet_hours_refuse();
CREATE TRIGGER quiet_hours_no_truncate BEFORE TRUNCATE ON optout_quiethoursswitch
  FOR EACH STATEMENT EXECUTE FUNCTION quiet_hours_refuse();
