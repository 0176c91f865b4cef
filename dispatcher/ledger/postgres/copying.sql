-- What is needed to copy another ledger into this one. {…} are names out of ledger/tables.py, never anybody's text.

-- name: copy_alone
-- Of all that copy into this database one at a time: until the connection ends.
SELECT pg_try_advisory_lock(1685286004, 1);

-- name: copy_get
SELECT source, progress, whole_at_ms FROM ledger_copy;

-- name: others
-- Processes of this program that have the database open: whoever opens it from now on is refused, they were not.
SELECT DISTINCT application_name::text FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'dispatcher %%' ORDER BY 1;

-- name: copy_begin
INSERT INTO ledger_copy (source, progress) VALUES (%(source)s, '{}');

-- name: copy_forget
DELETE FROM ledger_copy;

-- name: copy_keep
UPDATE ledger_copy SET progress = %(progress)s;

-- name: copy_end
UPDATE ledger_copy SET whole_at_ms = %(now_ms)s;

-- name: key_forget
DELETE FROM forgotten_key;

-- name: columns
SELECT a.attname::text, format_type(a.atttypid, NULL)
FROM pg_attribute AS a WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

-- name: has_rows
SELECT EXISTS (SELECT FROM {table});

-- name: empty
-- Its rows go at once, and without those that guard a log.
TRUNCATE {tables} RESTART IDENTITY;

-- name: copy_in
COPY {table} ({columns}) FROM STDIN (FORMAT BINARY);

-- name: numbered
-- The next row's number is above all that are there.
SELECT setval(pg_get_serial_sequence('{table}', '{key}'), greatest(coalesce(max({key}), 0), 1), count(*) > 0) FROM {table};

-- name: figures
SELECT {figures} FROM {table};

-- name: counts
SELECT {column}::text, count(*) FROM {table} GROUP BY 1;

-- name: analyze
ANALYZE {tables};

-- name: key_keep
INSERT INTO forgotten_key (key, inner_pad, outer_pad)
VALUES (%(key)s, hmac_pad(decode(%(key)s, 'hex'), 54), hmac_pad(decode(%(key)s, 'hex'), 92));
