-- What a rehearsal needs of a ledger (sqlite/rehearsal.py): the same as rehearsal_… in sqlite/queries.sql, in the same order.
-- {columns} are those of the rehearsal's own tables. All as of one moment.

-- name: accounts
SELECT {columns} FROM accounts AS t;

-- name: campaigns
-- All of them: a name that is not there is told with the nearest that is.
SELECT {columns} FROM campaigns AS t;

-- name: beginnings
SELECT {columns} FROM beginnings AS t;

-- name: wanted
-- The campaign's files, and those of others that may have reached somebody since then: who was reached is asked by the campaign.
SELECT input_id, campaign_id, campaign_id IN (SELECT campaign_id FROM campaigns WHERE name = %(campaign)s) FROM inputs
WHERE campaign_id IN (SELECT campaign_id FROM campaigns WHERE name = %(campaign)s)
  OR campaign_id IN (SELECT campaign_id FROM runs WHERE coalesce(stopped_at_ms, seen_at_ms) > %(since_ms)s::bigint);

-- name: wanted_runs
-- Those of test sends, too: they count for what was begun today.
SELECT run_id FROM runs WHERE campaign_id = ANY(%(campaigns)s)
  OR (campaign_id IS NULL AND coalesce(stopped_at_ms, seen_at_ms) > %(since_ms)s::bigint);

-- name: inputs
SELECT {columns} FROM inputs AS t WHERE input_id = ANY(%(inputs)s);

-- name: rows
SELECT {columns} FROM unnest(%(inputs)s::bigint[]) AS i(input_id)
  JOIN rows AS t ON t.row_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1;

-- name: chunks
-- The campaign's own: nobody looks at the cells of others.
SELECT {columns} FROM unnest(%(own)s::bigint[]) AS i(input_id)
  JOIN chunks AS t ON t.chunk_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1;

-- name: row_keys
SELECT {columns} FROM row_keys AS t WHERE campaign_id = ANY(%(campaigns)s);

-- name: tallies
SELECT {columns} FROM tallies AS t WHERE input_id = ANY(%(inputs)s);

-- name: runs
SELECT {columns} FROM runs AS t WHERE run_id = ANY(%(runs)s);

-- name: attempts
SELECT {columns} FROM attempts AS t WHERE run_id = ANY(%(runs)s);

-- name: sent
SELECT {columns} FROM attempts AS a JOIN sent AS t USING (attempt_id) WHERE a.run_id = ANY(%(runs)s);

-- name: executions
SELECT {columns} FROM attempts AS a JOIN executions AS t USING (attempt_id) WHERE a.run_id = ANY(%(runs)s);

-- name: places
SELECT {columns} FROM places AS t;

-- name: lists
SELECT {columns} FROM lists AS t;

-- name: suppressed
SELECT {columns} FROM suppressed AS t;

-- name: erasures
-- Of a rehearsal each file's rows must be told from those that were forgotten, as in the ledger.
SELECT {columns} FROM erasures AS t;

-- name: key
SELECT key FROM forgotten_key;
