-- Named queries: "-- name: what" starts one, and the comment lines under it say what it is for.

-- name: account_upsert
INSERT INTO accounts (account_sid, base_url) VALUES (:account_sid, :base_url) ON CONFLICT DO NOTHING;

-- name: account_get
SELECT account_id, account_sid, base_url FROM accounts WHERE account_sid = :account_sid AND base_url = :base_url;

-- name: account_epoch
SELECT epoch FROM accounts WHERE account_id = :account_id;

-- name: account_take_over
UPDATE accounts SET epoch = epoch + 1 WHERE account_id = :account_id;

-- name: campaign_insert
INSERT INTO campaigns (name, account_id, flow_sid, created_at_ms)
VALUES (:name, :account_id, :flow_sid, :now_ms) ON CONFLICT DO NOTHING;

-- name: campaign_get
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, created_at_ms, input_id
FROM campaigns JOIN accounts USING (account_id) WHERE name = :name;

-- name: campaign_list
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, created_at_ms, input_id
FROM campaigns JOIN accounts USING (account_id) ORDER BY campaign_id;

-- name: campaign_set_input
UPDATE campaigns SET input_id = :input_id WHERE campaign_id = :campaign_id;

-- name: campaign_set_report
UPDATE campaigns SET report_path = :path WHERE campaign_id = :campaign_id;

-- name: input_insert
-- Input numbers are never used again, not even those of a load that was cut short: row ids are made from them.
INSERT INTO inputs (campaign_id, source, header, parameter_columns, parameter_constants, from_address, begun_at_ms)
VALUES (:campaign_id, :source, :header, :parameter_columns, :parameter_constants, :from_address, :now_ms);

-- name: input_ready
UPDATE inputs SET ready_at_ms = :now_ms, sha256 = :sha256 WHERE input_id = :input_id;

-- name: inputs_unfinished
SELECT input_id FROM inputs WHERE campaign_id = :campaign_id AND ready_at_ms IS NULL;

-- name: inputs_ready
SELECT input_id, campaign_id, source, sha256, header, parameter_columns, parameter_constants, from_address
FROM inputs WHERE campaign_id = :campaign_id AND ready_at_ms IS NOT NULL ORDER BY input_id;

-- name: input_campaign
SELECT campaign_id FROM inputs WHERE input_id = :input_id;

-- name: input_header
SELECT header FROM inputs WHERE input_id = :input_id;

-- name: input_delete_rows
DELETE FROM rows WHERE row_id BETWEEN :first AND :last;

-- name: input_delete_chunks
DELETE FROM chunks WHERE chunk_id BETWEEN :first AND :last;

-- name: input_delete_tallies
DELETE FROM tallies WHERE input_id = :input_id;

-- name: input_tally
INSERT INTO tallies (input_id, state, n)
SELECT :input_id, state, count(*) FROM rows WHERE row_id BETWEEN :first AND :last GROUP BY state;

-- name: input_reasons
SELECT reason_code, count(*) FROM rows
WHERE row_id BETWEEN :first AND :last AND reason_code IS NOT NULL AND state IN ('invalid', 'skipped') GROUP BY reason_code;

-- name: rows_insert_plain
-- {values}: one (?, ?) per row. Most rows are of this kind: planned, the key is the address.
INSERT INTO rows (row_id, row_key) VALUES {values};

-- name: rows_insert
INSERT INTO rows (row_id, row_key, state, to_address, from_address, not_before_ms, reason_code, reason_column, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: chunk_insert
INSERT INTO chunks (chunk_id, cells) VALUES (?, ?);

-- name: chunk_of_row
SELECT chunk_id, cells FROM chunks WHERE chunk_id <= ? ORDER BY chunk_id DESC LIMIT 1;

-- name: keys_claim
-- In key order, so that the table grows at its end. The first row of a key gets it.
INSERT OR IGNORE INTO row_keys (campaign_id, row_key, row_id)
SELECT :campaign_id, row_key, row_id FROM rows
WHERE row_id BETWEEN :first AND :last AND row_key IS NOT NULL ORDER BY row_key, row_id;

-- name: clashes_create
CREATE TEMP TABLE clashes AS
SELECT r.row_id AS new_id, k.row_id AS old_id
FROM rows AS r JOIN row_keys AS k ON k.campaign_id = :campaign_id AND k.row_key = r.row_key
WHERE r.row_id BETWEEN :first AND :last AND k.row_id <> r.row_id;

-- name: clashes_drop
DROP TABLE IF EXISTS temp.clashes;

-- name: takeovers_create
-- A key that an earlier file brought: its first row in the new file goes on with it.
CREATE TEMP TABLE takeovers AS
SELECT min(new_id) AS new_id, old_id FROM temp.clashes WHERE old_id < :first GROUP BY old_id;

-- name: takeovers_index
CREATE UNIQUE INDEX temp.takeovers_new ON takeovers (new_id);

-- name: takeovers_drop
DROP TABLE IF EXISTS temp.takeovers;

-- name: duplicates_mark
-- The other rows of a key, in the same file.
UPDATE rows SET state = 'skipped', reason_code = 'duplicate', reason_column = NULL,
  reason = 'the same contact as row ' || (c.first_id & 4294967295)
FROM (SELECT new_id, coalesce(t.first_id, old_id) AS first_id
      FROM temp.clashes LEFT JOIN (SELECT old_id, new_id AS first_id FROM temp.takeovers) AS t USING (old_id)) AS c
WHERE rows.row_id = c.new_id AND c.first_id <> c.new_id;

-- name: takeovers_rejected
SELECT t.new_id, t.old_id FROM temp.takeovers AS t JOIN rows AS old ON old.row_id = t.old_id WHERE old.state = 'rejected';

-- name: takeovers_corrected
CREATE TEMP TABLE corrected (new_id INTEGER PRIMARY KEY);

-- name: corrected_drop
DROP TABLE IF EXISTS temp.corrected;

-- name: corrected_insert
INSERT INTO temp.corrected (new_id) VALUES (?);

-- name: takeovers_keep
-- What has been sent, refused or taken out stays as it was, under its new row number.
UPDATE rows SET identity = o.identity, state = o.state, to_address = o.to_address, from_address = o.from_address,
  not_before_ms = o.not_before_ms, reason_code = o.reason_code, reason_column = o.reason_column, reason = o.reason,
  attempts = o.attempts, last_attempt = o.last_attempt
FROM (SELECT t.new_id, coalesce(old.identity, old.row_id) AS identity, old.state, old.to_address, old.from_address,
        old.not_before_ms, old.reason_code, old.reason_column, old.reason, old.attempts, old.last_attempt
      FROM temp.takeovers AS t JOIN rows AS old ON old.row_id = t.old_id
      WHERE old.state IN ('created', 'sending', 'unknown', 'busy')
        OR (old.state = 'skipped' AND old.reason_code = 'cancelled')
        OR (old.state = 'rejected' AND t.new_id NOT IN (SELECT new_id FROM temp.corrected))) AS o
WHERE rows.row_id = o.new_id;

-- name: takeovers_renew
-- The others are planned (or skipped) as the new file says, with their history.
UPDATE rows SET identity = o.identity, attempts = o.attempts, last_attempt = o.last_attempt
FROM (SELECT t.new_id, coalesce(old.identity, old.row_id) AS identity, old.attempts, old.last_attempt
      FROM temp.takeovers AS t JOIN rows AS old ON old.row_id = t.old_id) AS o
WHERE rows.row_id = o.new_id AND rows.identity IS NULL;

-- name: takeovers_rekey
UPDATE row_keys SET row_id = t.new_id
FROM (SELECT t.new_id, r.row_key FROM temp.takeovers AS t JOIN rows AS r ON r.row_id = t.new_id) AS t
WHERE row_keys.campaign_id = :campaign_id AND row_keys.row_key = t.row_key;

-- name: takeovers_delete_old
DELETE FROM rows WHERE row_id IN (SELECT old_id FROM temp.takeovers);

-- name: earlier_delete_unsendable
-- Lines of an earlier file that never could be sent have no identity: the new file's lines stand in their place.
DELETE FROM rows WHERE row_id BETWEEN :first AND :last AND (row_key IS NULL OR reason_code = 'duplicate');

-- name: input_has_rows
SELECT EXISTS (SELECT 1 FROM rows WHERE row_id BETWEEN :first AND :last);

-- name: run_insert
INSERT INTO runs (campaign_id, account_id, epoch, pid, started_at_ms, seen_at_ms, window_limit)
VALUES (:campaign_id, :account_id, :epoch, :pid, :now_ms, :now_ms, :window_limit);

-- name: run_update
UPDATE runs SET seen_at_ms = :now_ms, requests = :requests, throttled = :throttled, worst_window = :worst_window
WHERE run_id = :run_id;

-- name: run_stop
UPDATE runs SET stopped_at_ms = :now_ms, seen_at_ms = :now_ms, stop_reason = :reason WHERE run_id = :run_id;

-- name: recover_select
-- Rows that a run of this account left in flight: whoever was sending them is gone.
SELECT r.row_id FROM rows AS r INDEXED BY rows_sending JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
WHERE r.state = 'sending' AND c.account_id = :account_id;

-- name: recover_attempts
UPDATE attempts SET outcome = 'unknown', ended_at_ms = :now_ms,
  error_message = 'the program was stopped before the answer was known'
WHERE outcome IS NULL AND attempt_id = (SELECT last_attempt FROM rows WHERE rows.row_id = :row_id);

-- name: recover_rows
UPDATE rows SET state = 'unknown', attempts = attempts + 1 WHERE row_id = :row_id AND state = 'sending';

-- name: tally_add
INSERT INTO tallies (input_id, state, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n;

-- name: planned_now
SELECT row_id, identity, row_key, to_address, from_address, attempts FROM rows
WHERE state = 'planned' AND not_before_ms = 0 AND row_id BETWEEN :first AND :last ORDER BY row_id LIMIT :limit;

-- name: planned_due
SELECT row_id, identity, row_key, to_address, from_address, attempts FROM rows
WHERE state = 'planned' AND not_before_ms > 0 AND not_before_ms <= :now_ms AND row_id BETWEEN :first AND :last
ORDER BY not_before_ms LIMIT :limit;

-- name: planned_next
SELECT min(not_before_ms) FROM rows
WHERE state = 'planned' AND not_before_ms > 0 AND row_id BETWEEN :first AND :last;

-- name: attempt_last_id
SELECT coalesce(max(attempt_id), 0) FROM attempts;

-- name: attempt_begin
INSERT INTO attempts (attempt_id, row_id, number, run_id, begun_at_ms) VALUES (?, ?, ?, ?, ?);

-- name: row_begin
UPDATE rows SET state = 'sending', last_attempt = ? WHERE row_id = ?;

-- name: attempt_end
UPDATE attempts SET outcome = ?, left_at_ms = coalesce(?, left_at_ms), ended_at_ms = ?, http_status = ?, error_code = ?, error_message = ?,
  execution_sid = ?, request_id = ?, found_by = ?
WHERE attempt_id = ? AND (outcome IS NULL OR outcome = 'unknown');

-- name: row_end
UPDATE rows SET state = ?, attempts = attempts + ?, not_before_ms = ?
WHERE row_id = ? AND state = ? AND last_attempt = ?;

-- name: departures
-- When the newest requests of an account left; NULL where that was not recorded (killed in flight).
SELECT a.left_at_ms, a.begun_at_ms, a.outcome FROM attempts AS a JOIN runs AS r USING (run_id)
WHERE a.attempt_id > (SELECT coalesce(max(attempt_id), 0) FROM attempts) - :newest
  AND r.account_id = :account_id AND (a.begun_at_ms >= :since_ms OR a.left_at_ms >= :since_ms);

-- name: unknown_rows
SELECT r.row_id, r.last_attempt, r.row_key, r.to_address, r.from_address, a.begun_at_ms, a.ended_at_ms, a.error_message
FROM rows AS r INDEXED BY rows_unknown JOIN attempts AS a ON a.attempt_id = r.last_attempt
WHERE r.state = 'unknown' AND r.row_id BETWEEN :first AND :last;

-- name: note_unknown
UPDATE attempts SET error_message = ? WHERE attempt_id = ? AND outcome = 'unknown';

-- name: tallies_of_campaign
SELECT input_id, state, n FROM tallies JOIN inputs USING (input_id)
WHERE campaign_id = :campaign_id AND ready_at_ms IS NOT NULL AND n > 0;

-- name: runs_summary
SELECT coalesce(sum(requests), 0), coalesce(sum(throttled), 0), coalesce(max(worst_window), 0),
  min(started_at_ms), coalesce(sum(coalesce(stopped_at_ms, seen_at_ms) - started_at_ms), 0)
FROM runs WHERE campaign_id = :campaign_id;

-- name: run_latest
SELECT run_id, window_limit, stopped_at_ms, stop_reason FROM runs WHERE campaign_id = :campaign_id ORDER BY run_id DESC LIMIT 1;

-- name: campaign_report_path
SELECT report_path FROM campaigns WHERE campaign_id = :campaign_id;

-- name: report_rows
-- In the order of model.ReportRow's fields.
SELECT r.row_id, r.state, coalesce(r.to_address, r.row_key), r.from_address, r.reason_code, r.reason_column, r.reason, r.attempts,
  a.execution_sid, a.http_status, a.error_code, a.error_message, a.found_by, a.left_at_ms, a.ended_at_ms
FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt
WHERE r.row_id BETWEEN :first AND :last ORDER BY r.row_id;

-- name: chunks_of_input
SELECT chunk_id, cells FROM chunks WHERE chunk_id BETWEEN :first AND :last ORDER BY chunk_id;

-- name: retry_rejected
SELECT r.row_id, r.state FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt
WHERE r.row_id BETWEEN :first AND :last AND r.state = 'rejected'
  AND (:all OR a.error_code IN (SELECT value FROM json_each(:codes)) OR a.http_status IN (SELECT value FROM json_each(:codes)));

-- name: retry_busy
SELECT row_id, state FROM rows WHERE row_id BETWEEN :first AND :last AND state = 'busy';

-- name: retry_cancelled
SELECT row_id, state FROM rows
WHERE row_id BETWEEN :first AND :last AND state = 'skipped' AND reason_code = 'cancelled';

-- name: row_replan
UPDATE rows SET state = 'planned', not_before_ms = 0, reason_code = NULL, reason_column = NULL, reason = NULL
WHERE row_id = ? AND state = ?;

-- name: cancel_select
SELECT row_id FROM rows WHERE row_id BETWEEN :first AND :last AND state = 'planned';

-- name: cancel_rows
UPDATE rows SET state = 'skipped', reason_code = 'cancelled', reason = :reason
WHERE state = 'planned' AND row_id BETWEEN :first AND :last;
