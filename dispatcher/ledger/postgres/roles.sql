-- Who may do what, once the tables of the ledger and of the job queue are there: three roles to which people and services are added.
-- Each statement can be run again, by whoever may make roles and owns the tables.

-- name: roles
DO $do$
DECLARE
  named text;
  is_new boolean := to_regrole('dispatcher_owner') IS NULL;
BEGIN
  FOREACH named IN ARRAY ARRAY['dispatcher_owner', 'dispatcher_worker', 'dispatcher_reader'] LOOP
    IF to_regrole(named) IS NULL THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', named);
    END IF;
  END LOOP;
  -- Whoever has made a role may give it, and is no member of it by that.
  IF is_new OR NOT pg_has_role(CURRENT_USER, 'dispatcher_owner', 'MEMBER') THEN
    EXECUTE format('GRANT dispatcher_owner TO %I', CURRENT_USER);
  END IF;
END
$do$;

-- name: rights
-- Whoever only looks sees all but the key of who was forgotten; temporary tables are how a file is compared with what is known.
DO $do$
DECLARE
  named text;
BEGIN
  FOREACH named IN ARRAY ARRAY['dispatcher', 'procrastinate'] LOOP
    IF to_regnamespace(named) IS NOT NULL THEN
      EXECUTE format('GRANT USAGE ON SCHEMA %I TO dispatcher_worker, dispatcher_reader', named);
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO dispatcher_worker', named);
      EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO dispatcher_worker', named);
      EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO dispatcher_reader', named);
    END IF;
  END LOOP;
  REVOKE ALL ON dispatcher.forgotten_key FROM dispatcher_reader;
  -- Which server's history it is, and whose copy, are the owner's to say.
  REVOKE INSERT, UPDATE, DELETE ON dispatcher.ledger_meta, dispatcher.ledger_copy FROM dispatcher_worker;
  EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO dispatcher_worker', current_database());
END
$do$;

-- name: owner
-- All of it is the owner's role, so that any of its members can bring it up to date.
DO $do$
DECLARE
  one record;
BEGIN
  EXECUTE format('GRANT CREATE ON DATABASE %I TO dispatcher_owner', current_database());
  FOR one IN
    SELECT format('SCHEMA %I', n.nspname) AS what FROM pg_namespace AS n
    WHERE n.nspname IN ('dispatcher', 'procrastinate') AND n.nspowner <> 'dispatcher_owner'::regrole
    UNION ALL
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass) FROM pg_class AS c
    WHERE c.relnamespace IN (to_regnamespace('dispatcher'), to_regnamespace('procrastinate'))
      AND c.relkind IN ('r', 'v', 'p') AND c.relowner <> 'dispatcher_owner'::regrole
    UNION ALL
    SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc AS p
    WHERE p.pronamespace IN (to_regnamespace('dispatcher'), to_regnamespace('procrastinate'))
      AND p.proowner <> 'dispatcher_owner'::regrole
    UNION ALL
    SELECT format('TYPE %s', t.oid::regtype) FROM pg_type AS t
    WHERE t.typnamespace IN (to_regnamespace('dispatcher'), to_regnamespace('procrastinate'))
      AND t.typrelid = 0 AND t.typelem = 0 AND t.typowner <> 'dispatcher_owner'::regrole
  LOOP
    EXECUTE format('ALTER %s OWNER TO dispatcher_owner', one.what);
  END LOOP;
END
$do$;
