-- What queries need that plain SQL cannot say, as dispatcher/model.py and ledger/striking.py do it; a test compares them.
-- Made anew by each `ledger migrate`.

CREATE OR REPLACE FUNCTION contact_of(address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN strpos(address, ':') > 0 AND lower(substr(address, 1, strpos(address, ':') - 1)) IN (
      'client', 'messenger', 'mms', 'rcs', 'sip', 'sips', 'sms', 'tel', 'viber', 'whatsapp')
    THEN substr(address, strpos(address, ':') + 1) ELSE address END
$$;

CREATE OR REPLACE FUNCTION hash_of(contact text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 'sha256:' || encode(sha256(convert_to(contact, 'UTF8')), 'hex')
$$;

CREATE OR REPLACE FUNCTION utc_minute(at_ms bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_char(to_timestamp(at_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD "at" HH24:MI "UTC"')
$$;

-- A key of 32 bytes as HMAC-SHA-256 uses it: filled up to a block, each byte XORed.
CREATE OR REPLACE FUNCTION hmac_pad(key bytea, byte integer) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  pad bytea := decode(repeat(lpad(to_hex(byte), 2, '0'), 64), 'hex');
BEGIN
  FOR place IN 0 .. length(key) - 1 LOOP
    pad := set_byte(pad, place, get_byte(key, place) # byte);
  END LOOP;
  RETURN pad;
END
$$;

CREATE OR REPLACE FUNCTION pseudonym(t text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN t ~ '^hmac:[0-9a-f]{32}$' THEN t
    ELSE 'hmac:' || substr(encode(sha256(outer_pad || sha256(inner_pad || convert_to(t, 'UTF8'))), 'hex'), 1, 32) END
  FROM forgotten_key WHERE t IS NOT NULL
$$;

-- See ledger/striking.py: a text without a number, however it is written. `sought`: country code, space, national digits.
CREATE OR REPLACE FUNCTION struck(t text, sought text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  code    text := substr(sought, 1, length(sought) - strpos(reverse(sought), ' '));
  number  text := split_part(sought, ' ', -1);
  between text := '[\s().\-/\u00a0\u2010-\u2015]*';
  pattern text;
  before  text;
  digits  text;
  from_at integer := 1;
  at      integer;
  after   integer;
  kept    text := '';
BEGIN
  IF t IS NULL OR t = '' OR number !~ '^\d{6,}$' THEN
    RETURN t;
  END IF;
  IF strpos(sought, ' ') = 0 THEN
    code := '';
  END IF;
  pattern := '(\+?(?<!\d)\d(?:' || between || '\d){0,4}' || between || ')?\(?' || regexp_replace(number, '(?<=\d)(?=\d)', between, 'g');
  LOOP
    at := regexp_instr(t, pattern, from_at, 1, 0);
    EXIT WHEN at = 0;
    after := regexp_instr(t, pattern, from_at, 1, 1);
    before := coalesce(regexp_substr(t, pattern, from_at, 1, '', 1), '');
    digits := ltrim(regexp_replace(before, '\D', '', 'g'), '0');
    kept := kept || substr(t, from_at, at - from_at);
    IF left(before, 1) = '+' AND digits <> '' AND NOT starts_with(digits, code) THEN
      kept := kept || substr(t, at, after - at);
    END IF;
    from_at := after;
  END LOOP;
  RETURN kept || substr(t, from_at);
END
$$;

-- Until the transaction ends: rows are found one by one, by their keys, and not by going through a table or an index. (One that
-- was small when a statement was prepared may be large by now.) So no values need a plan of their own.
CREATE OR REPLACE FUNCTION few_rows(few boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF few <> (current_setting('plan_cache_mode') = 'force_generic_plan') THEN
    PERFORM set_config('plan_cache_mode', CASE WHEN few THEN 'force_generic_plan' ELSE 'auto' END, true),
      set_config(name, CASE WHEN few THEN 'off' ELSE 'on' END, true)
    FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_material']) AS name;
  END IF;
END
$$;

-- Whether somebody has a lease that ends then. No lease lasts for more than five minutes, and each is renewed all the time: one
-- that ends later was given before the server's clock was set back, by somebody who is gone.
CREATE OR REPLACE FUNCTION is_leased(until timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT until > clock_timestamp() AND until < clock_timestamp() + interval '6 minutes'
$$;

-- The planner's figures after a file is planned: it would take the tables for empty until autovacuum comes by, and go through all
-- rows of a file for each claim. As the tables' owner, who alone may.
CREATE OR REPLACE FUNCTION figures_anew() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = dispatcher AS $$
BEGIN
  ANALYZE rows, row_keys, contacts, inputs;
END
$$;

CREATE OR REPLACE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log is only added to' USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- Who is forgotten stays in it as what stands for them, without the reason that somebody has written; and their number is struck
-- out of the reasons of others.
CREATE OR REPLACE TRIGGER suppression_log_unchanged BEFORE UPDATE ON suppression_log FOR EACH ROW
WHEN (NOT (new.contact IS NOT DISTINCT FROM old.contact OR coalesce(new.contact LIKE 'hmac:%', false))
  OR NOT (new.reason = old.reason OR coalesce(new.contact LIKE 'hmac:%', false)
    OR (length(new.reason) < length(old.reason) AND old.reason ~ '\d.*\d.*\d.*\d.*\d.*\d'))
  OR new.log_id <> old.log_id OR new.at_ms <> old.at_ms
  OR new.account_id <> old.account_id OR new.action <> old.action OR new.kind <> old.kind OR new.source <> old.source
  OR new.actor <> old.actor OR new.attempt_id IS DISTINCT FROM old.attempt_id)
EXECUTE FUNCTION only_added_to();
CREATE OR REPLACE TRIGGER suppression_log_kept BEFORE DELETE ON suppression_log FOR EACH ROW EXECUTE FUNCTION only_added_to();
CREATE OR REPLACE TRIGGER erasures_unchanged
BEFORE UPDATE OF erasure_id, at_ms, action, contact, campaign_id, rows, actor, key_check ON erasures
FOR EACH ROW EXECUTE FUNCTION only_added_to();
CREATE OR REPLACE TRIGGER erasures_kept BEFORE DELETE ON erasures FOR EACH ROW EXECUTE FUNCTION only_added_to();
