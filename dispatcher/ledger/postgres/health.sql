-- What is looked at to tell whether the ledger is whole, and whether what is written to it will last.

-- name: known
SELECT (SELECT schema_version FROM ledger_meta), pg_database_size(current_database()),
  (SELECT count(*) FROM campaigns), (SELECT min(created_at_ms) FROM campaigns);

-- name: lasting
SELECT current_setting('server_version'), current_setting('fsync'), current_setting('full_page_writes'),
  current_setting('synchronous_commit'), current_setting('data_checksums'), current_setting('synchronous_standby_names');

-- name: key_lost
SELECT EXISTS (SELECT FROM erasures AS e WHERE pseudonym('') IS DISTINCT FROM e.key_check);

-- name: key_is_ours
SELECT has_table_privilege('forgotten_key', 'SELECT');

-- name: leased
SELECT EXISTS (SELECT FROM accounts
  WHERE account_sid = %(account_sid)s AND base_url = %(base_url)s AND is_leased(lease_until));
