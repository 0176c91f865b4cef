-- The named queries of ../sqlite/queries.sql in PostgreSQL's words: the same names and parameters (a test holds that), where what each
-- is for is said, and at the end those that only a server needs.
-- A list is an array. {values} stands for unnest(…) of as many arrays as "-- columns:" names types; under "-- unique:" no statement
-- gets two rows with one value of that column. Temporary tables end with their transaction.

-- name: program_version
SELECT version FROM program;

-- name: program_forget
DELETE FROM program;

-- name: program_keep
INSERT INTO program (version) VALUES (:version);

-- The tables of a rehearsal (rehearsal.py), `source` being the ledger: of whatever version, so no columns are named but those
-- of version 1.

-- name: account_upsert
INSERT INTO accounts (account_sid, base_url) VALUES (:account_sid, :base_url) ON CONFLICT DO NOTHING;

-- name: account_get
SELECT account_id, account_sid, base_url FROM accounts WHERE account_sid = :account_sid AND base_url = :base_url;

-- name: account_list
SELECT account_sid, base_url FROM accounts ORDER BY account_id;

-- name: account_epoch
SELECT epoch FROM accounts WHERE account_id = :account_id;

-- name: account_limits
SELECT per_second, hold_until_ms, ceiling_per_s FROM accounts WHERE account_id = :account_id;

-- name: account_set_rate
UPDATE accounts SET per_second = :per_second WHERE account_id = :account_id;

-- name: account_keep_limits
-- What whoever sends next must know of 429s, from the run that has the account. Only a change is written.
UPDATE accounts SET hold_until_ms = :hold_until_ms, ceiling_per_s = :ceiling_per_s
WHERE account_id = :account_id AND epoch = :epoch
  AND (hold_until_ms IS DISTINCT FROM :hold_until_ms OR ceiling_per_s IS DISTINCT FROM :ceiling_per_s);

-- name: account_take_over
UPDATE accounts SET epoch = epoch + 1 WHERE account_id = :account_id RETURNING epoch;

-- name: campaign_insert
INSERT INTO campaigns (name, account_id, flow_sid, created_at_ms)
VALUES (:name, :account_id, :flow_sid, :now_ms) ON CONFLICT DO NOTHING;

-- name: campaign_get
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, input_id
FROM campaigns JOIN accounts USING (account_id) WHERE account_id = :account_id AND name = :name;

-- name: campaigns_named
-- Of all accounts, oldest first.
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, input_id
FROM campaigns JOIN accounts USING (account_id) WHERE name = :name ORDER BY campaign_id;

-- name: campaign_is_begun
-- Whether anything of it was ever to be sent, or is about to be.
SELECT EXISTS (SELECT 1 FROM runs JOIN attempts USING (run_id) WHERE campaign_id = :campaign_id)
  OR (:leased::boolean AND EXISTS (SELECT 1 FROM runs WHERE campaign_id = :campaign_id AND stopped_at_ms IS NULL));

-- name: campaign_move
UPDATE campaigns SET account_id = :account_id, flow_sid = :flow_sid WHERE campaign_id = :campaign_id;

-- name: campaign_list
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, input_id
FROM campaigns JOIN accounts USING (account_id) ORDER BY campaign_id;

-- name: ledger_since
-- Before its first run it knows nobody, whatever was planned.
SELECT min(started_at_ms) FROM runs;

-- name: campaign_set_input
-- What the rows of the file before waited for does not hold for this one's.
UPDATE campaigns SET input_id = :input_id, next_at_ms = NULL WHERE campaign_id = :campaign_id;

-- name: campaign_key
SELECT key_columns FROM campaigns WHERE campaign_id = :campaign_id;

-- name: campaign_set_key
UPDATE campaigns SET key_columns = :key_columns WHERE campaign_id = :campaign_id;

-- name: campaigns_of_file
-- Those of an account's that were fed these bytes, the newest first.
SELECT name FROM inputs JOIN campaigns AS c USING (campaign_id)
WHERE c.account_id = :account_id AND c.flow_sid = :flow_sid AND sha256 = :sha256 AND ready_at_ms IS NOT NULL
GROUP BY name ORDER BY max(c.campaign_id) DESC;

-- name: campaign_set_report
UPDATE campaigns SET report_path = :path WHERE campaign_id = :campaign_id;

-- name: wish_of
SELECT version, wish, wished_by, wish_reason, wished_at_ms, due_ms FROM campaigns WHERE campaign_id = :campaign_id;

-- name: wish_change
-- By compare-and-set: whoever has not seen what is wanted now changes nothing. Alone on the account: no claim is under way.
UPDATE campaigns SET wish = :wish, wished_by = :by, wish_reason = :reason, wished_at_ms = :at_ms, version = version + 1
WHERE campaign_id = :campaign_id AND version = :seen;

-- name: wish_order
-- As that. With other settings what waited may go now: what the last run has said of that is forgotten.
UPDATE campaigns SET due_ms = :due_ms, settings = coalesce(:settings::text, settings), version = version + 1,
  next_at_ms = CASE WHEN :settings::text IS NULL THEN next_at_ms END
WHERE campaign_id = :campaign_id AND version = :seen;

-- name: wish_unsettle
-- Rows have come that nobody has agreed to: workers pass over what they are not told how to send.
UPDATE campaigns SET settings = NULL, version = version + 1 WHERE campaign_id = :campaign_id AND settings IS NOT NULL;

-- name: wishes_ordered
-- What servers are to send; those of one moment in the order in which they were made.
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, input_id, next_at_ms, version, wish, wished_by, wish_reason,
  wished_at_ms, due_ms, settings
FROM campaigns JOIN accounts USING (account_id) WHERE due_ms IS NOT NULL ORDER BY due_ms, campaign_id;

-- name: wishes_due
-- Those of them whose time has come: of all accounts the one that was sent for longest ago comes first, of its campaigns likewise.
SELECT campaign_id, name, account_id, account_sid, base_url, flow_sid, input_id, next_at_ms, version, wish, wished_by, wish_reason,
  wished_at_ms, due_ms, settings
FROM campaigns AS c JOIN accounts AS a USING (account_id)
WHERE due_ms <= :now_ms AND wish = 'send' AND (next_at_ms IS NULL OR next_at_ms <= :now_ms) AND NOT is_leased(a.lease_until)
ORDER BY coalesce((SELECT max(r.run_id) FROM runs AS r WHERE r.account_id = a.account_id), 0),
  coalesce((SELECT max(r.run_id) FROM runs AS r WHERE r.campaign_id = c.campaign_id), 0), due_ms, campaign_id;

-- name: wish_fulfil
-- A run that has lost the account does not know what is left; a row in flight is somebody's to send again. What the order was given
-- along (that people may be reached again, say) was for its rows.
UPDATE campaigns SET due_ms = NULL, settings = NULL, version = version + 1
WHERE campaign_id = :campaign_id AND due_ms IS NOT NULL
  AND (SELECT epoch FROM accounts AS a WHERE a.account_id = campaigns.account_id) = :epoch
  AND NOT EXISTS (SELECT 1 FROM tallies JOIN inputs USING (input_id)
                  WHERE inputs.campaign_id = :campaign_id AND state IN ('planned', 'sending') AND n > 0);

-- name: campaign_set_next
UPDATE campaigns SET next_at_ms = :at_ms WHERE campaign_id = :campaign_id;

-- name: campaign_set_next_by_run
-- A run that has lost the account does not know what waits now.
UPDATE campaigns SET next_at_ms = :at_ms
WHERE campaign_id = :campaign_id AND (SELECT epoch FROM accounts AS a WHERE a.account_id = campaigns.account_id) = :epoch;

-- name: claim_check
-- Whose the account is, and what is wanted of the campaign: asked together at every claim.
SELECT epoch, wish FROM accounts, campaigns WHERE accounts.account_id = :account_id AND campaign_id = :campaign_id;

-- name: input_files
SELECT DISTINCT folder, source FROM inputs;

-- name: campaign_kept
SELECT report_path, next_at_ms, due_ms, settings IS NOT NULL FROM campaigns WHERE campaign_id = :campaign_id;

-- name: input_insert
-- Input numbers are never used again, not even those of a load that was cut short: row ids are made from them.
INSERT INTO inputs (campaign_id, source, header, parameter_columns, parameter_constants, from_address, begun_at_ms, folder, key_columns)
VALUES (:campaign_id, :source, :header, :parameter_columns, :parameter_constants, :from_address, :now_ms, :folder, :key_columns)
RETURNING input_id;

-- name: input_get
SELECT name, account_id, campaigns.input_id, keyed, inputs.key_columns, campaigns.key_columns, from_address, own_senders
FROM inputs JOIN campaigns USING (campaign_id)
WHERE inputs.input_id = :input_id;

-- name: input_loaded
UPDATE inputs SET keyed = keyed + :keyed, own_senders = own_senders OR :own_senders::boolean WHERE input_id = :input_id AND ready_at_ms IS NULL;

-- name: input_senders
SELECT from_address, own_senders FROM inputs WHERE input_id = :input_id;

-- name: rows_fill_senders
-- Some of a file's rows have senders of their own: the others get the file's, so that all are found by their sender.
UPDATE rows SET from_address = :sender
WHERE row_id BETWEEN :first AND :last AND from_address IS NULL AND row_key IS NOT NULL;

-- name: input_ready
UPDATE inputs SET ready_at_ms = :now_ms, sha256 = :sha256 WHERE input_id = :input_id AND ready_at_ms IS NULL;

-- name: inputs_unfinished
-- Those that hold rows; the others stand for numbers that are used.
SELECT input_id FROM inputs WHERE campaign_id = :campaign_id AND ready_at_ms IS NULL
  AND EXISTS (SELECT 1 FROM chunks WHERE chunk_id BETWEEN inputs.input_id << 32 AND (inputs.input_id + 1 << 32) - 1);

-- name: inputs_ready
SELECT input_id, campaign_id, source, sha256, header, parameter_columns, parameter_constants, from_address, folder
FROM inputs WHERE campaign_id = :campaign_id AND ready_at_ms IS NOT NULL ORDER BY input_id;

-- name: inputs_planned
-- Inputs with rows to send, oldest first; but for rows that a later file has no more.
SELECT input_id FROM inputs WHERE campaign_id = :campaign_id AND ready_at_ms IS NOT NULL
  AND input_id >= coalesce((SELECT max(input_id) FROM inputs WHERE campaign_id = :campaign_id AND removes), 0)
  AND EXISTS (SELECT 1 FROM rows WHERE state = 'planned' AND row_id >> 32 = inputs.input_id)
ORDER BY input_id;

-- name: input_set_removes
UPDATE inputs SET removes = true WHERE input_id = :input_id;

-- name: inputs_removing
-- The newest file that takes out what earlier ones have and it has not, where that is not done yet.
SELECT max(input_id) FROM inputs WHERE campaign_id = :campaign_id AND removes AND ready_at_ms IS NOT NULL;

-- name: inputs_removed
UPDATE inputs SET removes = false WHERE campaign_id = :campaign_id;

-- name: rows_remove
UPDATE rows SET state = 'skipped', reason_code = 'removed', reason_column = NULL,
  reason = 'the campaign''s latest file does not have this row any more'
WHERE row_id BETWEEN :first AND :last AND state = :state AND row_key IS NOT NULL;

-- name: rows_remove_open
-- On the wire or unknown: taken out as soon as it is known that nothing was created.
UPDATE rows SET reason_code = 'removed', reason_column = NULL, reason = 'the campaign''s latest file does not have this row any more'
WHERE (state = 'sending' OR state = 'unknown') AND row_id BETWEEN :first AND :last;

-- name: input_delete_rows
DELETE FROM rows WHERE row_id BETWEEN :first AND :last;

-- name: input_delete_chunks
DELETE FROM chunks WHERE chunk_id BETWEEN :first AND :last;

-- name: input_delete_tallies
DELETE FROM tallies WHERE input_id = :input_id;

-- name: input_recount
INSERT INTO tallies (input_id, state, n)
SELECT :input_id, state, count(*) FROM rows WHERE row_id BETWEEN :first AND :last GROUP BY state;

-- name: input_reasons
SELECT reason_code, count(*) FROM rows
WHERE row_id BETWEEN :first AND :last AND state IN ('invalid', 'skipped') AND reason_code IS NOT NULL GROUP BY reason_code;

-- name: campaign_reasons
SELECT reason_code, count(*) FROM inputs AS i JOIN rows AS r ON r.row_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1
WHERE i.campaign_id = :campaign_id AND r.state IN ('invalid', 'skipped') AND r.reason_code IS NOT NULL GROUP BY reason_code;

-- name: rows_insert_keys
-- Most rows are of this kind: planned, the key is the address, and their numbers follow one another.
INSERT INTO rows (row_id, row_key) SELECT :first_id + j.ord - 1, j.value FROM unnest(:keys::text[]) WITH ORDINALITY AS j(value, ord);

-- name: rows_insert_placed
-- The same with the place of each.
INSERT INTO rows (row_id, row_key, place_id)
SELECT :first_id + j.ord - 1, j.value ->> 0, (j.value ->> 1)::bigint FROM jsonb_array_elements(:placed::jsonb) WITH ORDINALITY AS j(value, ord);

-- name: rows_insert
-- columns: bigint, text, text, text, text, bigint, text, text, text, bigint, bigint
INSERT INTO rows (row_id, row_key, state, to_address, from_address, not_before_ms, reason_code, reason_column, reason, place_id,
  not_after_ms)
SELECT column1, nullif(column2, ''), column3, nullif(column4, ''), nullif(column5, ''), column6,
  nullif(column7, ''), nullif(column8, ''), nullif(column9, ''), column10, column11
FROM {values} AS v(column1, column2, column3, column4, column5, column6, column7, column8, column9, column10, column11);

-- name: place_insert
INSERT INTO places (zones, country, area, source) VALUES (:zones, :country, :area, :source) ON CONFLICT DO NOTHING;

-- name: places_all
SELECT place_id, zones, country, area, source FROM places;

-- name: rows_unplaced
-- Rows that wait, or may once it is known what became of them, and whose places were not looked up.
SELECT row_id, address FROM (
  SELECT row_id, coalesce(to_address, row_key) AS address FROM rows
  WHERE row_id > :after AND row_id <= :last AND place_id = 0 AND state IN ('planned', 'sending', 'unknown')
  ORDER BY row_id LIMIT :limit) AS q;

-- name: rows_place
-- columns: bigint, bigint
-- Each of {values}: row_id, place_id.
UPDATE rows SET place_id = v.column2 FROM {values} AS v(column1, column2) WHERE rows.row_id = v.column1;

-- name: rows_timed
-- Of these rows those that have a place or times of their own.
SELECT r.row_id, r.place_id, r.not_before_ms, r.not_after_ms
FROM unnest(:row_ids::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN rows AS r ON r.row_id = j.value
WHERE r.place_id <> 0 OR r.not_before_ms > 0 OR r.not_after_ms > 0;

-- name: places_exist
-- Whether any row of an input was looked up.
SELECT EXISTS (SELECT 1 FROM rows WHERE row_id BETWEEN :first AND :last AND place_id <> 0);

-- name: rows_expire
-- Rows that wait and may not be sent any more once it is :until_ms, of one place or of all (0).
UPDATE rows SET state = 'skipped', reason_code = 'expired', reason_column = NULL, reason = :sentence
WHERE row_id IN (
  SELECT row_id FROM rows
  WHERE state = 'planned' AND row_id >> 32 = :input_id AND not_after_ms > 0 AND not_after_ms <= :until_ms
    AND (:place_id = 0 OR place_id = :place_id) LIMIT :limit);

-- name: rows_close
-- Rows that wait and whose place does not open any more, or not from then on when they may be sent by themselves.
UPDATE rows SET state = 'skipped', reason_code = :reason_code, reason_column = NULL, reason = :sentence
WHERE row_id IN (
  SELECT row_id FROM rows
  WHERE state = 'planned' AND row_id >> 32 = :input_id AND place_id <> 0 AND place_id = :place_id
    AND not_before_ms >= :first_ms LIMIT :limit);

-- name: places_planned
-- Each place that has rows which wait: when the first of them may be sent, as far as that is the row's own.
SELECT place_id, first_ms FROM (
  WITH RECURSIVE p (place_id) AS (
    SELECT min(place_id) FROM rows WHERE state = 'planned' AND place_id <> 0 AND row_id >> 32 = :input_id
    UNION ALL
    SELECT (SELECT min(r.place_id) FROM rows AS r
      WHERE r.state = 'planned' AND r.place_id <> 0 AND r.row_id >> 32 = :input_id AND r.place_id > p.place_id)
    FROM p WHERE p.place_id IS NOT NULL)
  SELECT p.place_id, (SELECT min(r.not_before_ms) FROM rows AS r
    WHERE r.state = 'planned' AND r.place_id <> 0 AND r.row_id >> 32 = :input_id AND r.place_id = p.place_id) AS first_ms
  FROM p WHERE p.place_id IS NOT NULL) AS q;

-- name: places_waiting
-- Rows that wait, by place and by when they may be sent at the earliest (0: at once).
SELECT place_id, not_before_ms, n FROM (
  SELECT place_id, not_before_ms, count(*) AS n FROM rows
  WHERE state = 'planned' AND place_id <> 0 AND row_id >> 32 = :input_id GROUP BY 1, 2 LIMIT :limit) AS q;

-- name: beginning_keep
-- The first of all runs that come to it.
INSERT INTO beginnings (campaign_id, start_ms, begun_at_ms) VALUES (:campaign_id, :start_ms, :now_ms) ON CONFLICT DO NOTHING;

-- name: beginning_of
SELECT begun_at_ms FROM beginnings WHERE campaign_id = :campaign_id AND start_ms = :start_ms;

-- name: chunks_insert
-- columns: bigint, bytea
INSERT INTO chunks (chunk_id, cells) SELECT column1, column2 FROM {values} AS v(column1, column2);

-- name: chunk_of_row
SELECT chunk_id, cells FROM chunks WHERE chunk_id <= :row_id ORDER BY chunk_id DESC LIMIT 1;

-- name: keys_claim
-- In key order, so that the table grows at its end. The first row of a key that can be sent gets it.
INSERT INTO row_keys (campaign_id, row_key, row_id)
SELECT :campaign_id, row_key, row_id FROM rows
WHERE row_id BETWEEN :first AND :last AND row_key IS NOT NULL ORDER BY row_key, state = 'invalid', row_id
ON CONFLICT DO NOTHING;

-- name: clashes_create
-- Rows whose key another row has: of this file, or of an earlier one. `rank` orders the rows of a key: first those in order.
CREATE TEMP TABLE clashes ON COMMIT DROP AS
SELECT r.row_id AS new_id, k.row_id AS old_id, r.row_id + CASE r.state WHEN 'invalid' THEN 1::bigint << 62 ELSE 0 END AS rank
FROM rows AS r JOIN row_keys AS k ON k.campaign_id = :campaign_id AND k.row_key = r.row_key
WHERE r.row_id BETWEEN :first AND :last AND k.row_id <> r.row_id;

-- name: clashes_drop
DROP TABLE IF EXISTS pg_temp.clashes;

-- name: continued_create
-- A key that an earlier file brought: its first row in the new file goes on with it. `ord`: in the order of the old rows.
CREATE TEMP TABLE continued ON COMMIT DROP AS
SELECT min(rank) & ((1::bigint << 62) - 1) AS new_id, old_id, row_number() OVER (ORDER BY old_id) AS ord
FROM pg_temp.clashes WHERE old_id < :first GROUP BY old_id;

-- name: continued_index
-- Its figures, too: the server would guess them.
CREATE UNIQUE INDEX continued_new ON pg_temp.continued (new_id);
ANALYZE pg_temp.continued;

-- name: continued_drop
DROP TABLE IF EXISTS pg_temp.continued;

-- name: duplicates_mark
-- The other rows of a key are never sent, so they have none; what is wrong with them anyway stays said.
UPDATE rows SET row_key = NULL, to_address = coalesce(to_address, row_key),
  state = CASE state WHEN 'planned' THEN 'skipped' ELSE state END,
  reason_code = CASE state WHEN 'planned' THEN 'duplicate' ELSE reason_code END,
  reason = CASE state WHEN 'planned' THEN 'the same contact as row ' || (c.first_id & 4294967295) ELSE reason END
FROM (SELECT clashes.new_id, coalesce(t.first_id, old_id) AS first_id
      FROM pg_temp.clashes LEFT JOIN (SELECT old_id, new_id AS first_id FROM pg_temp.continued) AS t USING (old_id)) AS c
WHERE rows.row_id = c.new_id AND c.first_id <> c.new_id;

-- name: continued_refused
-- Rows that may be planned again if the user has corrected them.
SELECT t.new_id, t.old_id, old.state, coalesce(old.to_address, old.row_key), old.from_address,
  coalesce(new.to_address, new.row_key), new.from_address
FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id JOIN rows AS new ON new.row_id = t.new_id
WHERE old.state IN ('rejected', 'busy') AND new.state = 'planned';

-- name: corrected_create
CREATE TEMP TABLE corrected ON COMMIT DROP AS SELECT j.value AS new_id FROM unnest(:new_ids::bigint[]) AS j(value);

-- name: corrected_drop
DROP TABLE IF EXISTS pg_temp.corrected;

-- name: continued_known
-- A report says of some rows that they were sent. Of those that the campaign has tried to send, it knows itself.
UPDATE rows SET state = 'planned', reason_code = NULL, reason = NULL
FROM (SELECT t.new_id FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id
      WHERE old.last_attempt IS NOT NULL) AS o
WHERE rows.row_id = o.new_id AND rows.reason_code = 'reported';

-- name: continued_keep_addresses
-- A request that was or may have been answered by an execution went where the old line said.
WITH o AS MATERIALIZED (
  SELECT old.last_attempt, coalesce(old.to_address, old.row_key) AS to_address,
    coalesce(old.from_address, oi.from_address) AS from_address
  FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id JOIN rows AS new ON new.row_id = t.new_id
    JOIN inputs AS oi ON oi.input_id = old.row_id >> 32 JOIN inputs AS ni ON ni.input_id = new.row_id >> 32
  WHERE old.state IN ('created', 'sending', 'unknown')
    AND (coalesce(old.to_address, old.row_key) <> coalesce(new.to_address, new.row_key)
      OR coalesce(old.from_address, oi.from_address) IS DISTINCT FROM coalesce(new.from_address, ni.from_address)))
UPDATE attempts SET to_address = o.to_address, from_address = o.from_address
FROM o WHERE attempts.attempt_id = o.last_attempt AND attempts.to_address IS NULL;

-- name: chunks_differ
-- Whether a file has any cells that stand in another one not, or not in the same place.
SELECT EXISTS (SELECT 1 FROM chunks AS n WHERE n.chunk_id BETWEEN :first AND :last AND NOT EXISTS (
  SELECT 1 FROM chunks AS o WHERE o.chunk_id = n.chunk_id - :first + :old_first AND o.cells = n.cells));

-- name: continued_elsewhere
-- Whether any row that was sent, or may have been, has another address now.
SELECT EXISTS (
  SELECT 1 FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id JOIN rows AS new ON new.row_id = t.new_id
    JOIN attempts AS a ON a.attempt_id = old.last_attempt
  WHERE old.state IN ('created', 'sending', 'unknown')
    AND (coalesce(a.to_address, old.to_address, old.row_key) <> coalesce(new.to_address, new.row_key)
      OR a.from_address IS NOT NULL OR old.from_address IS DISTINCT FROM new.from_address));

-- name: continued_sent_new
-- Rows that were sent, or may have been, in the order of the new file.
SELECT t.new_id FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id
WHERE t.new_id > :after AND old.state IN ('created', 'sending', 'unknown') ORDER BY t.new_id LIMIT :limit;

-- name: continued_sent_old
-- The same in the order of the old ones, without those that were forgotten: what they sent is not known any more.
SELECT t.ord, t.new_id, t.old_id, old.last_attempt,
  coalesce(a.to_address, old.to_address, old.row_key) <> coalesce(new.to_address, new.row_key)
    OR coalesce(a.from_address, old.from_address, oi.from_address) IS DISTINCT FROM coalesce(new.from_address, ni.from_address),
  s.parameters
FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id JOIN rows AS new ON new.row_id = t.new_id
  JOIN inputs AS oi ON oi.input_id = old.row_id >> 32 JOIN inputs AS ni ON ni.input_id = new.row_id >> 32
  JOIN attempts AS a ON a.attempt_id = old.last_attempt LEFT JOIN sent AS s ON s.attempt_id = old.last_attempt
WHERE t.ord > :after AND old.state IN ('created', 'sending', 'unknown') AND (a.to_address IS NULL OR a.to_address NOT LIKE 'hmac:%')
ORDER BY t.ord LIMIT :limit;

-- name: differing_create
-- Those of them that the new file says something else of, and all that they sent.
CREATE TEMP TABLE differing (new_id bigint PRIMARY KEY, attempt_id bigint NOT NULL, parameters text NOT NULL) ON COMMIT DROP;

-- name: differing_drop
DROP TABLE IF EXISTS pg_temp.differing;

-- name: differing_insert
-- columns: bigint, bigint, text
INSERT INTO pg_temp.differing (new_id, attempt_id, parameters)
SELECT column1, column2, column3 FROM {values} AS v(column1, column2, column3);

-- name: differing
SELECT new_id, attempt_id, parameters FROM pg_temp.differing WHERE new_id > :after ORDER BY new_id LIMIT :limit;

-- name: sent_keep
-- columns: bigint, bigint, text
-- unique: column1
INSERT INTO sent (attempt_id, campaign_id, parameters)
SELECT column1, column2, column3 FROM {values} AS v(column1, column2, column3)
ON CONFLICT (attempt_id) DO UPDATE SET campaign_id = excluded.campaign_id, parameters = excluded.parameters;

-- name: sent_count
-- Rows of a campaign that were sent, or may have been, with other values than their file has.
SELECT count(*) FROM sent AS s JOIN attempts AS a USING (attempt_id)
WHERE s.campaign_id = :campaign_id AND (a.outcome IS NULL OR a.outcome = 'created' OR a.outcome = 'unknown');

-- name: sent_forget
DELETE FROM sent WHERE attempt_id = :attempt_id;

-- name: continued_keep
-- What has been sent, refused or taken out stays so under its new row number. What the new file says against a row that
-- may be on the wire counts once it is known that nothing was created.
UPDATE rows SET identity = o.identity, state = o.state, attempts = o.attempts, last_attempt = o.last_attempt,
  reason_code = CASE WHEN o.state = 'created' THEN NULL WHEN o.cancelled THEN 'cancelled' ELSE rows.reason_code END,
  reason_column = CASE WHEN o.state = 'created' OR o.cancelled THEN NULL ELSE rows.reason_column END,
  reason = CASE WHEN o.state = 'created' THEN NULL WHEN o.cancelled THEN o.reason ELSE rows.reason END
FROM (SELECT t.new_id, coalesce(old.identity, old.row_id) AS identity, old.state, old.attempts, old.last_attempt,
        old.reason, coalesce(old.reason_code = 'cancelled', false) AS cancelled
      FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id JOIN rows AS new ON new.row_id = t.new_id
      WHERE old.state IN ('created', 'sending', 'unknown')
        OR (new.state = 'planned' AND t.new_id NOT IN (SELECT new_id FROM pg_temp.corrected)
            AND (old.state IN ('rejected', 'busy') OR (old.state = 'skipped' AND old.reason_code = 'cancelled')))) AS o
WHERE rows.row_id = o.new_id;

-- name: continued_renew
-- The others are planned, skipped or invalid as the new file says, with their history.
UPDATE rows SET identity = o.identity, attempts = o.attempts, last_attempt = o.last_attempt
FROM (SELECT t.new_id, coalesce(old.identity, old.row_id) AS identity, old.attempts, old.last_attempt
      FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id) AS o
WHERE rows.row_id = o.new_id AND rows.identity IS NULL;

-- name: continued_rekey
WITH t AS MATERIALIZED (
  SELECT t.new_id, r.row_key FROM pg_temp.continued AS t JOIN rows AS r ON r.row_id = t.new_id ORDER BY r.row_key)
UPDATE row_keys SET row_id = t.new_id FROM t WHERE row_keys.campaign_id = :campaign_id AND row_keys.row_key = t.row_key;

-- name: continued_untally
INSERT INTO tallies (input_id, state, n)
SELECT old.row_id >> 32, old.state, -count(*) FROM pg_temp.continued AS t JOIN rows AS old ON old.row_id = t.old_id
WHERE true GROUP BY 1, 2 ON CONFLICT (input_id, state) DO UPDATE SET n = tallies.n + excluded.n;

-- name: continued_inputs
SELECT DISTINCT old_id >> 32 FROM pg_temp.continued;

-- name: continued_delete_old
DELETE FROM rows WHERE row_id IN (SELECT old_id FROM pg_temp.continued);

-- name: keyless_untally
INSERT INTO tallies (input_id, state, n)
SELECT :input_id, state, -count(*) FROM rows WHERE row_id BETWEEN :first AND :last AND row_key IS NULL
GROUP BY state ON CONFLICT (input_id, state) DO UPDATE SET n = tallies.n + excluded.n;

-- name: inputs_with_left_out
SELECT DISTINCT input_id FROM tallies JOIN inputs USING (input_id)
WHERE campaign_id = :campaign_id AND input_id <> :input_id AND state IN ('invalid', 'skipped') AND n > 0;

-- name: keyless_delete
-- Lines of an earlier file that never could be sent have no identity: the new file's lines stand in their place. (Not those of a
-- file that is added: it has corrected some of them, and nobody can tell which.)
DELETE FROM rows WHERE row_id BETWEEN :first AND :last AND row_key IS NULL;

-- name: input_has_rows
SELECT EXISTS (SELECT 1 FROM rows WHERE row_id BETWEEN :first AND :last);

-- name: runs_orphaned
-- Whoever starts a run holds the account: runs that have not stopped are dead.
UPDATE runs SET stopped_at_ms = seen_at_ms, stop_reason = 'interrupted: the process was killed'
WHERE account_id = :account_id AND stopped_at_ms IS NULL;

-- name: run_insert
INSERT INTO runs (campaign_id, account_id, epoch, pid, started_at_ms, seen_at_ms, window_limit, host)
VALUES (:campaign_id, :account_id, :epoch, :pid, :now_ms, :now_ms, :window_limit, :host) RETURNING run_id;

-- name: run_update
UPDATE runs SET seen_at_ms = :now_ms, requests = :requests, throttled = :throttled, worst_window = :worst_window,
  clock_skew_ms = coalesce(:clock_skew_ms, clock_skew_ms), waits = :waits, waits_until_ms = :waits_until_ms,
  rate_per_s = coalesce(:rate_per_s, rate_per_s)
WHERE run_id = :run_id;

-- name: run_stop
UPDATE runs SET stopped_at_ms = :now_ms, stop_reason = :reason, waits = NULL, waits_until_ms = NULL WHERE run_id = :run_id;

-- name: recover_count
-- Rows that a run of this account left in flight: whoever was sending them is gone.
SELECT r.row_id >> 32, count(*)
FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
WHERE r.state = 'sending' AND c.account_id = :account_id GROUP BY 1;

-- name: recover_attempts
UPDATE attempts SET outcome = 'unknown', ended_at_ms = :now_ms,
  error_message = 'the program was stopped before the answer was known'
WHERE outcome IS NULL AND attempt_id IN (
  SELECT r.last_attempt
  FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
  WHERE r.state = 'sending' AND c.account_id = :account_id);

-- name: recover_rows
UPDATE rows SET state = 'unknown', attempts = attempts + 1
WHERE row_id IN (
  SELECT r.row_id
  FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
  WHERE r.state = 'sending' AND c.account_id = :account_id);

-- name: tallies_add
INSERT INTO tallies (input_id, state, n)
SELECT (j.value ->> 0)::bigint, j.value ->> 1, (j.value ->> 2)::bigint FROM jsonb_array_elements(:moves::jsonb) AS j(value)
ON CONFLICT (input_id, state) DO UPDATE SET n = tallies.n + excluded.n;

-- name: planned_rows
-- Rows whose time has come go first.
SELECT row_id, row_key, to_address, from_address, coalesce(identity, row_id), attempts, not_after_ms, place_id FROM (
  SELECT * FROM (
    SELECT row_id, row_key, to_address, from_address, identity, attempts, not_after_ms, place_id FROM rows
    WHERE state = 'planned' AND row_id >> 32 = :input_id AND not_before_ms > 0 AND not_before_ms <= :now_ms
      AND (not_after_ms = 0 OR not_after_ms > :now_ms)
    ORDER BY not_before_ms, row_id LIMIT :limit) AS due
  UNION ALL
  SELECT * FROM (
    SELECT row_id, row_key, to_address, from_address, identity, attempts, not_after_ms, place_id FROM rows
    WHERE state = 'planned' AND row_id >> 32 = :input_id AND not_before_ms = 0 AND (not_after_ms = 0 OR not_after_ms > :now_ms)
    ORDER BY row_id LIMIT :limit) AS plain
  LIMIT :limit) AS q;

-- name: planned_rows_behind
-- Those of these places behind a row, in the order of the file: neighbours lie on one page, and their cells in one chunk.
SELECT row_id, row_key, to_address, from_address, coalesce(identity, row_id) AS identity, attempts, not_after_ms, place_id
FROM rows
WHERE state = 'planned' AND row_id >> 32 = :input_id AND not_before_ms = 0 AND row_id > :after
  AND place_id = ANY (:places::bigint[]) AND (not_after_ms = 0 OR not_after_ms > :now_ms)
ORDER BY row_id LIMIT :limit;

-- name: planned_rows_at
-- Those of open places, in the order of the places, of each the first to be sent.
SELECT r.row_id, r.row_key, r.to_address, r.from_address, coalesce(r.identity, r.row_id) AS identity, r.attempts, r.not_after_ms,
  r.place_id
FROM unnest(:places::bigint[]) WITH ORDINALITY AS p(value, ord) CROSS JOIN LATERAL (
  SELECT * FROM rows AS o
  WHERE o.state = 'planned' AND o.place_id <> 0 AND o.row_id >> 32 = :input_id AND o.place_id = p.value AND o.not_before_ms <= :now_ms
    AND (o.not_after_ms = 0 OR o.not_after_ms > :now_ms)
  ORDER BY o.not_before_ms, o.row_id LIMIT :limit) AS r
ORDER BY p.ord, r.not_before_ms, r.row_id LIMIT :limit;

-- name: senders_planned
-- Each sender and place with rows that wait, of an input whose rows have senders of their own: when the first of them may be sent, as
-- far as that is the row's own. From one to the next by the index, however many rows each has.
SELECT r.from_address, r.place_id, r.not_before_ms FROM (
  WITH RECURSIVE p (row_id) AS (
    SELECT (SELECT f.row_id FROM rows AS f
      WHERE f.state = 'planned' AND f.from_address IS NOT NULL AND f.row_id >> 32 = :input_id
      ORDER BY f.from_address, f.place_id, f.not_before_ms LIMIT 1)
    UNION ALL
    SELECT coalesce(
      (SELECT n.row_id FROM rows AS n
        WHERE n.state = 'planned' AND n.from_address IS NOT NULL AND n.row_id >> 32 = :input_id
          AND n.from_address = o.from_address AND n.place_id > o.place_id
        ORDER BY n.place_id, n.not_before_ms LIMIT 1),
      (SELECT n.row_id FROM rows AS n
        WHERE n.state = 'planned' AND n.from_address IS NOT NULL AND n.row_id >> 32 = :input_id
          AND n.from_address > o.from_address
        ORDER BY n.from_address, n.place_id, n.not_before_ms LIMIT 1))
    FROM p JOIN rows AS o ON o.row_id = p.row_id)
  SELECT row_id FROM p WHERE row_id IS NOT NULL) AS q JOIN rows AS r ON r.row_id = q.row_id;

-- name: planned_rows_from
-- Those of one sender in these places, of each place the first to be sent.
SELECT r.row_id, r.row_key, r.to_address, r.from_address, coalesce(r.identity, r.row_id) AS identity, r.attempts, r.not_after_ms,
  r.place_id
FROM unnest(:places::bigint[]) WITH ORDINALITY AS p(value, ord) CROSS JOIN LATERAL (
  SELECT * FROM rows AS o
  WHERE o.state = 'planned' AND o.from_address IS NOT NULL AND o.row_id >> 32 = :input_id AND o.from_address = :sender
    AND o.place_id = p.value AND o.not_before_ms <= :now_ms AND (o.not_after_ms = 0 OR o.not_after_ms > :now_ms)
  ORDER BY o.not_before_ms, o.row_id LIMIT :limit) AS r
ORDER BY p.ord, r.not_before_ms, r.row_id LIMIT :limit;

-- name: senders_waiting
-- Rows that wait, of an input whose rows have senders of their own: by sender, place and when they may be sent at the earliest.
SELECT from_address, place_id, not_before_ms, n FROM (
  SELECT from_address, place_id, not_before_ms, count(*) AS n FROM rows
  WHERE state = 'planned' AND from_address IS NOT NULL AND row_id >> 32 = :input_id GROUP BY 1, 2, 3 LIMIT :limit) AS q;

-- name: planned_next
SELECT min(not_before_ms) FROM rows WHERE state = 'planned' AND row_id >> 32 = :input_id AND not_before_ms > 0;

-- name: attempts_begin
-- columns: bigint, integer, text
-- Each of {values}: identity, number, dispatch_id. The database numbers them, in this order.
INSERT INTO attempts (row_id, number, run_id, begun_at_ms, dispatch_id)
SELECT v.column1, v.column2, :run_id, :now_ms, nullif(v.column3, '') FROM {values} AS v(column1, column2, column3);

-- name: campaigns_recent
-- Those of the account on the flow that may have sent since then.
SELECT DISTINCT campaign_id FROM runs JOIN campaigns AS c USING (campaign_id)
WHERE runs.account_id = :account_id AND c.flow_sid = :flow_sid AND coalesce(stopped_at_ms, seen_at_ms) > :since_ms;

-- name: contacted_again
-- Of these contacts, those whom these campaigns have begun to reach since then: the contact's place, a sentence, and for a
-- row of the same campaign where that stands now. A contact may come several times. :keyed_by_contact: the rows that are asked
-- for have no other key than their contact, so what the campaign knows of that is themselves.
SELECT j.ord - 1,
  CASE WHEN c.outcome = 'created' THEN 'campaign "' ELSE 'it is not known whether campaign "' END || g.name
    || CASE WHEN c.outcome = 'created' THEN '" reached' ELSE '" has reached' END || ' this contact on ' || utc_minute(c.begun_at_ms),
  CASE WHEN c.campaign_id = :campaign_id THEN c.row_id END
FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) JOIN contacted AS c ON c.account_id = :account_id AND c.contact = j.value
  JOIN campaigns AS g ON g.campaign_id = c.campaign_id
WHERE c.campaign_id = ANY (:campaigns::bigint[])
  AND NOT (:keyed_by_contact::boolean AND c.campaign_id = :campaign_id AND c.row_key = '')
  AND c.begun_at_ms > :since_ms;

-- name: contacted_lately
-- Of these contacts, those whom the account has begun to reach since then, by whatever campaign and flow: the contact's place, the
-- campaign and when. For people to read.
SELECT j.ord - 1, c.campaign_id, g.name, c.begun_at_ms
FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) JOIN contacted AS c ON c.account_id = :account_id AND c.contact = j.value
  JOIN campaigns AS g ON g.campaign_id = c.campaign_id
WHERE c.begun_at_ms > :since_ms;

-- name: contacted_often
-- When these contacts were begun to be reached since then, by whatever campaign and flow of the account: the contact's place, and
-- when. :keyed_by_contact as above.
SELECT j.ord - 1, c.begun_at_ms
FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) JOIN contacted AS c ON c.account_id = :account_id AND c.contact = j.value
WHERE c.begun_at_ms >= :since_ms AND NOT (:keyed_by_contact::boolean AND c.campaign_id = :campaign_id AND c.row_key = '');

-- name: planned_contacts
-- The planned rows of an input behind a row: key, address or NULL, place, and until when they wait by themselves.
SELECT row_id, row_key, to_address, place_id, not_before_ms FROM (
  SELECT row_id, row_key, to_address, place_id, not_before_ms FROM rows
  WHERE row_id > :after AND row_id <= :last AND state = 'planned' ORDER BY row_id LIMIT :limit) AS q;

-- name: attempts_since
-- Those of the account, by whatever campaign or as a test, that created an execution, may have, or are on their way.
SELECT count(*) FROM runs AS r JOIN attempts AS a ON a.run_id = r.run_id
WHERE r.account_id = :account_id AND coalesce(r.stopped_at_ms, r.seen_at_ms) >= :seen_since_ms AND a.begun_at_ms >= :since_ms
  AND (a.outcome IS NULL OR a.outcome = 'created' OR a.outcome = 'unknown');

-- name: attempts_since_by_sender
-- The same by whom they were sent. A row that a newer file has given another number is found by its identity.
SELECT coalesce(a.from_address, r.from_address, i.from_address), count(*)
FROM runs AS s JOIN attempts AS a ON a.run_id = s.run_id
  LEFT JOIN rows AS r ON r.row_id = coalesce(
    (SELECT m.row_id FROM rows AS m WHERE m.identity IS NOT NULL AND m.identity = a.row_id), a.row_id)
  LEFT JOIN inputs AS i ON i.input_id = r.row_id >> 32
WHERE s.account_id = :account_id AND coalesce(s.stopped_at_ms, s.seen_at_ms) >= :seen_since_ms AND a.begun_at_ms >= :since_ms
  AND (a.outcome IS NULL OR a.outcome = 'created' OR a.outcome = 'unknown')
GROUP BY 1;

-- name: planned_first
-- When the first of the rows that wait may be sent by itself; 0: at once.
SELECT min(not_before_ms) FROM rows WHERE state = 'planned' AND row_id >> 32 = :input_id;

-- name: rows_hold
-- columns: bigint, bigint
-- Each of {values}: row_id, until when it waits.
UPDATE rows SET not_before_ms = v.column2 FROM {values} AS v(column1, column2) WHERE rows.row_id = v.column1 AND rows.state = 'planned';

-- name: rows_waiting
-- Rows that wait for a time, whatever their places, by that time.
SELECT not_before_ms, n FROM (
  SELECT not_before_ms, count(*) AS n FROM rows
  WHERE state = 'planned' AND row_id >> 32 = :input_id AND not_before_ms > :now_ms GROUP BY 1 LIMIT :limit) AS q;

-- name: reaching_create
-- A file's rows in the order of their contacts.
CREATE TEMP TABLE reaching ON COMMIT DROP AS
SELECT row_id, row_key, contact_of(coalesce(to_address, row_key)) AS contact FROM rows
WHERE row_id BETWEEN :first AND :last AND row_key IS NOT NULL
ORDER BY contact;

-- name: reaching_drop
DROP TABLE IF EXISTS pg_temp.reaching;

-- name: contacts_insert
INSERT INTO contacts (account_id, contact, campaign_id, row_key)
SELECT :account_id, contact, :campaign_id, CASE row_key WHEN contact THEN '' ELSE row_key END FROM pg_temp.reaching
ON CONFLICT DO NOTHING;

-- name: reaching_has_channels
-- Whether a row's key is its address with a channel before the contact.
SELECT EXISTS (SELECT 1 FROM pg_temp.reaching WHERE row_key <> contact AND substr(row_key, strpos(row_key, ':') + 1) = contact);

-- name: same_contacts_skip
-- Of rows whose key is their address the first of each contact stays: one that was sent or may have been, else the first planned.
UPDATE rows SET state = 'skipped', reason_code = 'duplicate', reason_column = NULL,
  reason = 'the same contact as row ' || (s.first_id & 4294967295)
FROM (SELECT t.row_id, r.state, first_value(t.row_id) OVER (PARTITION BY t.contact ORDER BY r.state = 'planned', t.row_id) AS first_id
      FROM pg_temp.reaching AS t JOIN rows AS r ON r.row_id = t.row_id
      WHERE r.state IN ('planned', 'sending', 'created', 'unknown')
        AND t.contact IN (t.row_key, substr(t.row_key, strpos(t.row_key, ':') + 1))) AS s
WHERE rows.row_id = s.row_id AND s.state = 'planned' AND s.first_id <> s.row_id;

-- name: repeats_create
-- The planned rows of a file whose contact these campaigns have begun to reach since then, but not by a row of the same file:
-- rows of one file with keys of their own are not each other's repeat. In the order of the rows, each with its latest.
CREATE TEMP TABLE repeats ON COMMIT DROP AS
SELECT DISTINCT ON (t.row_id) t.row_id, c.attempt_id, c.outcome, c.begun_at_ms, c.campaign_id
FROM pg_temp.reaching AS t JOIN contacted AS c ON c.account_id = :account_id
    AND c.contact IN (t.contact, CASE WHEN :erased::boolean THEN pseudonym(t.contact) END)
  JOIN rows AS r ON r.row_id = t.row_id
WHERE c.begun_at_ms > :since_ms AND c.campaign_id = ANY (:campaigns::bigint[]) AND r.state = 'planned'
  AND NOT (c.campaign_id = :campaign_id AND c.row_id BETWEEN :first AND :last)
ORDER BY t.row_id, c.attempt_id DESC;

-- name: repeats_drop
DROP TABLE IF EXISTS pg_temp.repeats;

-- name: repeats_count
SELECT count(*) FROM pg_temp.repeats;

-- name: repeats_skip
UPDATE rows SET state = 'skipped', reason_code = 'contacted', reason_column = NULL, reason =
  CASE WHEN t.outcome = 'created' THEN 'campaign "' ELSE 'it is not known whether campaign "' END || g.name
    || CASE WHEN t.outcome = 'created' THEN '" reached' ELSE '" has reached' END || ' this contact on ' || utc_minute(t.begun_at_ms)
FROM pg_temp.repeats AS t JOIN campaigns AS g USING (campaign_id) WHERE rows.row_id = t.row_id;

-- name: rows_skip
-- columns: bigint, text
-- Each of {values}: row_id, sentence.
UPDATE rows SET state = 'skipped', reason_code = :reason_code, reason_column = NULL, reason = v.column2
FROM {values} AS v(column1, column2) WHERE rows.row_id = v.column1 AND rows.state = 'planned';

-- name: lists_of
-- Those of an account that are whole.
SELECT list_id, kind, source, read_as, read_at_ms, entries, unreadable FROM lists
WHERE account_id = :account_id AND read_at_ms IS NOT NULL ORDER BY list_id;

-- name: lists_unfinished
SELECT list_id FROM lists WHERE account_id = :account_id AND kind = :kind AND source = :source AND read_at_ms IS NULL;

-- name: list_insert
INSERT INTO lists (account_id, kind, source) VALUES (:account_id, :kind, :source) RETURNING list_id;

-- name: list_get
SELECT kind, source FROM lists WHERE list_id = :list_id;

-- name: list_ready
UPDATE lists SET read_at_ms = :now_ms, read_as = :read_as, unreadable = :unreadable WHERE list_id = :list_id;

-- name: list_recount
UPDATE lists SET entries = (SELECT count(*) FROM suppressed AS s WHERE s.account_id = :account_id AND s.list_id = :list_id)
WHERE list_id = :list_id;

-- name: list_entries
SELECT entries FROM lists WHERE list_id = :list_id;

-- name: list_clear
DELETE FROM suppressed WHERE account_id = :account_id AND list_id = :list_id;

-- name: list_delete
DELETE FROM lists WHERE list_id = :list_id;

-- name: suppressed_insert
-- columns: bigint, text, bigint
INSERT INTO suppressed (account_id, contact, list_id) SELECT column1, column2, column3 FROM {values} AS v(column1, column2, column3)
ON CONFLICT DO NOTHING;

-- name: suppressed_delete
DELETE FROM suppressed WHERE account_id = :account_id AND contact = :contact AND list_id = :list_id;

-- name: suppressed_of
-- Of these contacts, those that are on lists of the account: the contact's place, and the list.
SELECT j.ord - 1, s.list_id
FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) JOIN suppressed AS s ON s.account_id = :account_id AND s.contact = j.value;

-- name: suppressed_page
SELECT contact, list_id FROM suppressed
WHERE account_id = :account_id AND (contact, list_id) > (:contact, :list_id) ORDER BY contact, list_id LIMIT :limit;

-- name: suppressed_skip
-- The planned rows of a file whose contacts are on these lists, each with the first list's sentence.
UPDATE rows SET state = 'skipped', reason_code = 'suppressed', reason_column = NULL, reason = f.sentence
FROM (
  SELECT DISTINCT ON (t.row_id) t.row_id, l.value ->> 1 AS sentence
  FROM pg_temp.reaching AS t
    JOIN suppressed AS s ON s.account_id = :account_id
      AND s.contact IN (t.contact, CASE WHEN :hashed::boolean THEN hash_of(t.contact) END,
        CASE WHEN :erased::boolean THEN pseudonym(t.contact) END)
    JOIN jsonb_array_elements(:lists::jsonb) WITH ORDINALITY AS l(value, ord) ON (l.value ->> 0)::bigint = s.list_id
  ORDER BY t.row_id, l.ord) AS f
WHERE rows.row_id = f.row_id AND rows.state = 'planned';

-- name: suppression_log_add
INSERT INTO suppression_log (at_ms, account_id, contact, action, kind, source, actor, reason, attempt_id)
VALUES (:now_ms, :account_id, :contact, :action, :kind, :source, :actor, :reason, :attempt_id);

-- name: suppression_log_of
SELECT l.at_ms, l.contact, l.action, l.kind, l.source, l.actor, l.reason
FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) JOIN suppression_log AS l ON l.account_id = :account_id AND l.contact = j.value ORDER BY l.log_id;

-- name: suppression_log_all
SELECT log_id, at_ms, contact, action, kind, source, actor, reason FROM suppression_log
WHERE account_id = :account_id AND log_id > :after ORDER BY log_id LIMIT :limit;

-- name: suppression_log_taught
SELECT 1 FROM suppression_log
WHERE account_id = :account_id AND contact = :contact AND attempt_id = :attempt_id LIMIT 1;

-- name: addresses_of_attempts
-- Where they went; a row that a newer file has given another number is found by its identity.
SELECT a.attempt_id, s.account_id, coalesce(a.to_address, r.to_address, r.row_key)
FROM unnest(:attempt_ids::bigint[]) AS j(value) JOIN attempts AS a ON a.attempt_id = j.value JOIN runs AS s USING (run_id)
  JOIN LATERAL (SELECT n.to_address, n.row_key FROM rows AS n WHERE n.row_id = a.row_id
                UNION SELECT m.to_address, m.row_key FROM rows AS m WHERE m.identity IS NOT NULL AND m.identity = a.row_id) AS r ON true
WHERE coalesce(a.to_address, r.to_address, r.row_key) IS NOT NULL;

-- name: executions_of_contacts
-- The executions that this account's campaigns have begun for these contacts, and those of its test sends. '': an attempt of
-- the contact may have begun one that is not known yet.
SELECT j.value, coalesce(c.execution_sid, '') FROM unnest(:contacts::text[]) AS j(value)
  JOIN contacted AS c ON c.account_id = :account_id AND c.contact = j.value
UNION ALL
SELECT NULL, a.execution_sid FROM attempts AS a JOIN runs USING (run_id)
WHERE a.row_id < 0 AND a.outcome = 'created' AND runs.account_id = :account_id AND a.execution_sid IS NOT NULL;

-- name: own_execution
-- Whether another row of the campaign has begun this execution for the contact, or may have.
SELECT EXISTS (
  SELECT 1 FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) JOIN contacted AS c ON c.account_id = :account_id AND c.contact = j.value
  WHERE c.campaign_id = :campaign_id AND c.attempt_id <> :attempt_id
    AND (c.execution_sid = :execution_sid OR c.outcome IS NULL OR c.outcome = 'unknown'));

-- name: planned_addresses
-- The planned rows of an input behind a row, and where they go.
SELECT row_id, address FROM (
  SELECT row_id, coalesce(to_address, row_key) AS address FROM rows
  WHERE row_id > :after AND row_id <= :last AND state = 'planned' ORDER BY row_id LIMIT :limit) AS q;

-- name: rows_begin
-- A row's live attempt is found by the index that allows only one.
UPDATE rows SET state = 'sending', last_attempt = a.attempt_id
FROM unnest(:row_ids::bigint[]) AS j(value), attempts AS a
WHERE rows.row_id = j.value AND rows.state = 'planned' AND a.row_id = coalesce(rows.identity, rows.row_id) AND a.outcome IS NULL;

-- name: attempts_begun
-- In the order of the rows.
SELECT r.last_attempt
FROM unnest(:row_ids::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN rows AS r ON r.row_id = j.value WHERE r.state = 'sending'
ORDER BY j.ord;

-- name: rows_end
-- columns: bigint, bigint, bigint
-- Each of {values}: row_id, attempt_id, not_before_ms. A row with a reason is not simply refused or planned again.
UPDATE rows SET state = :after, attempts = attempts + :counted::boolean::integer,
  not_before_ms = CASE v.column3 WHEN 0 THEN not_before_ms ELSE v.column3 END
FROM {values} AS v(column1, column2, column3)
WHERE rows.row_id = v.column1 AND rows.last_attempt = v.column2 AND rows.state = :before
  AND (:reasons_too::boolean OR rows.reason_code IS NULL);

-- name: attempts_end
-- columns: bigint, bigint, bigint, integer, integer, text, text, text, text
-- Each of {values}: attempt_id and what is set, in that order. (coalesce: not by attempts_live, which has all that were created.)
UPDATE attempts SET outcome = :outcome,
  sent_at_ms = coalesce(nullif(v.column2, 0), sent_at_ms, CASE WHEN :late::boolean THEN ended_at_ms END), ended_at_ms = v.column3,
  http_status = nullif(v.column4, 0), error_code = nullif(v.column5, 0), error_message = nullif(v.column6, ''),
  execution_sid = nullif(v.column7, ''), request_id = nullif(v.column8, ''), found_by = nullif(v.column9, '')
FROM {values} AS v(column1, column2, column3, column4, column5, column6, column7, column8, column9)
WHERE attempts.attempt_id = v.column1 AND coalesce(attempts.outcome, 'unknown') = 'unknown';

-- name: row_of_attempt
-- By its number, or where a newer file has given it another.
SELECT row_id, state, reason_code FROM rows WHERE row_id = :row_id AND last_attempt = :attempt_id
UNION ALL
SELECT row_id, state, reason_code FROM rows WHERE state = 'sending' AND last_attempt = :attempt_id
UNION ALL
SELECT row_id, state, reason_code FROM rows WHERE state = 'unknown' AND last_attempt = :attempt_id
LIMIT 1;

-- name: account_has_sent
SELECT EXISTS (SELECT 1 FROM runs AS r JOIN attempts AS a ON a.run_id = r.run_id WHERE r.account_id = :account_id);

-- name: departures_runs
-- Of an account: the runs of which anything can have left since then, newest first. A run that was killed was dead when the
-- next one began.
SELECT run_id FROM (
  SELECT run_id, seen_at_ms, stopped_at_ms, lead(started_at_ms, 1, 0::bigint) OVER (ORDER BY run_id) AS next_at_ms
  FROM runs WHERE account_id = :account_id) AS r
WHERE stopped_at_ms IS NULL OR greatest(seen_at_ms, stopped_at_ms, next_at_ms) >= :since_ms ORDER BY run_id DESC;

-- name: departures
-- A run's attempts that are older than the one given, newest first.
SELECT attempt_id, begun_at_ms, sent_at_ms, ended_at_ms, outcome FROM attempts
WHERE run_id = :run_id AND attempt_id < :before ORDER BY attempt_id DESC LIMIT :limit;

-- name: departures_unresolved
-- Of an account: what is on the wire, and of what it is not known whether it was created, however old.
SELECT a.attempt_id, a.begun_at_ms, a.sent_at_ms, a.ended_at_ms, a.outcome
FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt JOIN runs USING (run_id)
WHERE r.state = 'sending' AND runs.account_id = :account_id
UNION ALL
SELECT a.attempt_id, a.begun_at_ms, a.sent_at_ms, a.ended_at_ms, a.outcome
FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt JOIN runs USING (run_id)
WHERE r.state = 'unknown' AND runs.account_id = :account_id;

-- name: test_run_insert
-- A test send's run, of no campaign.
INSERT INTO runs (campaign_id, account_id, epoch, pid, started_at_ms, seen_at_ms, requests)
SELECT NULL, account_id, epoch, :pid, :now_ms, :now_ms, 1 FROM accounts WHERE account_id = :account_id RETURNING run_id;

-- name: test_begin
INSERT INTO attempts (row_id, number, run_id, begun_at_ms, to_address, from_address)
VALUES (:row_id, 1, :run_id, :now_ms, :to_address, :from_address) RETURNING attempt_id;

-- name: test_end
UPDATE attempts SET outcome = :outcome, sent_at_ms = coalesce(:sent_at_ms, sent_at_ms), ended_at_ms = :ended_at_ms,
  http_status = :http_status, error_code = :error_code, error_message = :error_message, execution_sid = :execution_sid,
  request_id = :request_id
WHERE attempt_id = :attempt_id AND row_id < 0 AND (outcome IS NULL OR outcome = 'unknown');

-- name: tests_recover_attempts
-- Test sends of an account whose process died: whoever begins anything for the account now holds it.
UPDATE attempts SET outcome = 'unknown', ended_at_ms = :now_ms,
  error_message = 'the program was stopped before the answer was known'
WHERE outcome IS NULL AND row_id < 0 AND run_id IN (
  SELECT run_id FROM runs WHERE account_id = :account_id AND stopped_at_ms IS NULL AND campaign_id IS NULL);

-- name: tests_recover_runs
UPDATE runs SET stopped_at_ms = :now_ms, stop_reason = 'interrupted: the process was killed'
WHERE account_id = :account_id AND stopped_at_ms IS NULL AND campaign_id IS NULL;

-- name: unknown_rows
SELECT a.row_id, r.row_id, r.last_attempt, r.row_key, coalesce(a.to_address, r.to_address, r.row_key),
  a.begun_at_ms, coalesce(a.ended_at_ms, a.begun_at_ms), a.run_id, runs.clock_skew_ms, a.dispatch_id, a.http_status
FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt LEFT JOIN runs USING (run_id)
WHERE r.state = 'unknown' AND r.row_id BETWEEN :first AND :last ORDER BY r.row_id;

-- name: note_unknown
-- columns: bigint, text
UPDATE attempts SET error_message = v.column2 FROM {values} AS v(column1, column2)
WHERE attempts.attempt_id = v.column1 AND attempts.outcome = 'unknown';

-- name: absent_attempts
-- Of rows, by their identity: their attempts that were unknown once and count as not sent, oldest first.
SELECT a.row_id, a.absence, a.begun_at_ms, a.dispatch_id
FROM unnest(:identities::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN attempts AS a ON a.row_id = j.value
WHERE a.absence IS NOT NULL ORDER BY a.attempt_id;

-- name: attempts_absence
-- columns: bigint, text
-- Each of {values}: attempt_id, absence.
UPDATE attempts SET absence = v.column2 FROM {values} AS v(column1, column2)
WHERE attempts.attempt_id = v.column1 AND attempts.outcome = 'not_sent';

-- name: sent_executions
-- Of these executions, those that attempts after one have created. A 201 is about a new one. Any other answer (a conflict, v1's 200)
-- and the list may tell of one that an earlier attempt of the row has created, which counts as absent: it is as old as that.
SELECT execution_sid, coalesce(first_run, run_id), coalesce(first_ms, sent_at_ms, begun_at_ms) FROM (
  SELECT a.execution_sid, a.run_id, a.sent_at_ms, a.begun_at_ms, (
    SELECT min(b.run_id) FROM attempts AS b
    WHERE b.row_id = a.row_id AND b.absence IS NOT NULL AND a.http_status IS DISTINCT FROM 201) AS first_run, (
    SELECT min(b.begun_at_ms) FROM attempts AS b
    WHERE b.row_id = a.row_id AND b.absence IS NOT NULL AND a.http_status IS DISTINCT FROM 201) AS first_ms
  FROM attempts AS a WHERE a.attempt_id > :after AND a.execution_sid = ANY (:sids::text[])) AS s;

-- name: last_created
-- The newest attempt of an account on a flow, after one, whose answer was an execution that no earlier one can have created.
SELECT a.execution_sid, a.run_id, coalesce(a.sent_at_ms, a.begun_at_ms), a.ended_at_ms
FROM attempts AS a JOIN runs AS r USING (run_id) JOIN campaigns AS c USING (campaign_id)
WHERE a.attempt_id > :after AND a.outcome = 'created' AND r.account_id = :account_id AND c.flow_sid = :flow_sid
  AND (a.http_status = 201 OR NOT EXISTS (
    SELECT 1 FROM attempts AS b WHERE b.row_id = a.row_id AND b.absence IS NOT NULL))
ORDER BY a.attempt_id DESC LIMIT 1;

-- name: look_last
-- The last look at an account's executions on a flow, and the last request of its run.
SELECT l.looked_at_ms, l.clock_skew_ms, l.since_ms, (
  SELECT a.sent_at_ms FROM attempts AS a WHERE a.run_id = l.run_id AND a.sent_at_ms IS NOT NULL ORDER BY a.attempt_id DESC LIMIT 1)
FROM looks AS l WHERE l.account_id = :account_id AND l.flow_sid = :flow_sid;

-- name: look_keep
INSERT INTO looks (account_id, flow_sid, run_id, looked_at_ms, clock_skew_ms, since_ms)
VALUES (:account_id, :flow_sid, :run_id, :looked_at_ms, :clock_skew_ms, :since_ms)
ON CONFLICT (account_id, flow_sid) DO UPDATE SET run_id = excluded.run_id, looked_at_ms = excluded.looked_at_ms,
  clock_skew_ms = excluded.clock_skew_ms, since_ms = excluded.since_ms;

-- name: foreign_keep
-- columns: text, text, bigint, integer
-- unique: column2
-- Each of {values}: contact, execution_sid, created_at_ms, by_api (2: not known).
INSERT INTO foreign_executions (account_id, flow_sid, contact, execution_sid, created_at_ms, by_api)
SELECT :account_id, :flow_sid, v.column1, v.column2, v.column3, nullif(v.column4, 2) FROM {values} AS v(column1, column2, column3, column4)
ON CONFLICT (account_id, flow_sid, contact, execution_sid)
DO UPDATE SET created_at_ms = excluded.created_at_ms, by_api = excluded.by_api;

-- name: foreign_forget
DELETE FROM foreign_executions WHERE created_at_ms < :before_ms;

-- name: foreign_since
SELECT contact, execution_sid, created_at_ms, by_api FROM foreign_executions
WHERE account_id = :account_id AND flow_sid = :flow_sid AND created_at_ms >= :since_ms;

-- name: risk_attempts
-- Attempts of unknown rows count as not sent, because a person says so. When they left is not known: at the latest when their
-- answer was given up.
UPDATE attempts SET outcome = 'not_sent', absence = :absence, sent_at_ms = coalesce(sent_at_ms, ended_at_ms),
  error_message = :risked::text || coalesce(error_message, 'nothing is known')
WHERE outcome = 'unknown' AND attempt_id IN (
  SELECT last_attempt FROM rows
  WHERE state = 'unknown' AND reason_code IS NULL AND row_id BETWEEN :first AND :last);

-- name: risk_count
SELECT count(*) FROM rows
WHERE state = 'unknown' AND reason_code IS NULL AND row_id BETWEEN :first AND :last;

-- name: risk_rows
UPDATE rows SET state = 'planned' WHERE row_id IN (
  SELECT row_id FROM rows
  WHERE state = 'unknown' AND reason_code IS NULL AND row_id BETWEEN :first AND :last);

-- name: retry_last
-- The last of the first :most rows of an input that a retry would take; NULL: there are fewer. Here and below: of a row that was
-- forgotten nothing is left that could be sent.
SELECT (SELECT row_id FROM rows
  WHERE row_id BETWEEN :first AND :last AND (
    (row_key NOT LIKE 'hmac:%' AND state = 'rejected' AND (:rejected::boolean OR :coded::boolean)
      AND (reason_code IS NULL OR reason_code = 'cancelled') AND (:rejected::boolean OR EXISTS (
      SELECT 1 FROM attempts AS a WHERE a.attempt_id = rows.last_attempt
      AND (a.error_code = ANY (:codes::bigint[]) OR a.http_status = ANY (:codes::bigint[])))))
    OR (row_key NOT LIKE 'hmac:%' AND state = 'busy' AND :busy::boolean AND (reason_code IS NULL OR reason_code = 'cancelled'))
    OR (row_key NOT LIKE 'hmac:%' AND state = 'skipped' AND reason_code = ANY (:reasons::text[])))
  ORDER BY row_id LIMIT 1 OFFSET :most::bigint - 1);

-- name: retry_rejected
-- A ledger of version 3 may have refused rows with a reason not to be sent: those that the user took out are sent now.
UPDATE rows SET state = 'planned', reason_code = NULL, reason_column = NULL, reason = NULL
WHERE row_id BETWEEN :first AND :last AND state = 'rejected' AND row_key NOT LIKE 'hmac:%'
  AND (reason_code IS NULL OR reason_code = 'cancelled') AND (:every::boolean OR EXISTS (
  SELECT 1 FROM attempts AS a WHERE a.attempt_id = rows.last_attempt
  AND (a.error_code = ANY (:codes::bigint[]) OR a.http_status = ANY (:codes::bigint[]))));

-- name: retry_busy
UPDATE rows SET state = 'planned', reason_code = NULL, reason_column = NULL, reason = NULL
WHERE row_id BETWEEN :first AND :last AND state = 'busy' AND row_key NOT LIKE 'hmac:%' AND (reason_code IS NULL OR reason_code = 'cancelled');

-- name: retry_skipped
UPDATE rows SET state = 'planned', reason_code = NULL, reason = NULL
WHERE row_id BETWEEN :first AND :last AND state = 'skipped' AND row_key NOT LIKE 'hmac:%'
  AND reason_code = ANY (:reasons::text[]);

-- name: retry_skipped_open
UPDATE rows SET reason_code = NULL, reason = NULL
WHERE row_id BETWEEN :first AND :last AND state IN ('sending', 'unknown')
  AND reason_code = ANY (:reasons::text[]);

-- name: cancel_rows
UPDATE rows SET state = 'skipped', reason_code = 'cancelled', reason = :reason
WHERE state = 'planned' AND row_id >> 32 = :input_id;

-- name: cancel_open
-- Rows on the wire or unknown: taken out as soon as it is known that nothing was created.
UPDATE rows SET reason_code = 'cancelled', reason_column = NULL, reason = :reason
WHERE (state = 'sending' OR state = 'unknown') AND row_id BETWEEN :first AND :last;

-- name: tallies_of_campaign
SELECT input_id, state, n FROM tallies JOIN inputs USING (input_id)
WHERE campaign_id = :campaign_id AND ready_at_ms IS NOT NULL AND n > 0;

-- name: runs_summary
-- A clock set back during a run must not make time run backwards.
SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(throttled), 0)::bigint, coalesce(max(worst_window), 0),
  min(started_at_ms), coalesce(sum(greatest(coalesce(stopped_at_ms, seen_at_ms) - started_at_ms, 0)), 0)::bigint
FROM runs WHERE campaign_id = :campaign_id;

-- name: run_latest
SELECT window_limit, stopped_at_ms, stop_reason, runs.epoch = accounts.epoch, run_id, host, waits, waits_until_ms, rate_per_s
FROM runs JOIN accounts USING (account_id) WHERE campaign_id = :campaign_id ORDER BY run_id DESC LIMIT 1;

-- name: report_rows
-- In the order of records.ReportRow's fields.
SELECT r.row_id, r.state,
  CASE WHEN coalesce(r.to_address, r.row_key) NOT LIKE 'hmac:%' THEN
    coalesce(CASE WHEN r.state IN ('created', 'sending', 'unknown') AND a.to_address NOT LIKE 'hmac:%' THEN a.to_address END,
      r.to_address, r.row_key) END,
  coalesce(CASE WHEN r.state IN ('created', 'sending', 'unknown') THEN a.from_address END, r.from_address),
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason_code END,
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason_column END,
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason END,
  r.attempts,
  a.execution_sid, a.http_status, a.error_code, a.error_message, a.found_by, a.sent_at_ms, a.ended_at_ms,
  CASE WHEN r.state IN ('created', 'sending', 'unknown') THEN s.parameters END
FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt LEFT JOIN sent AS s ON s.attempt_id = r.last_attempt
WHERE r.row_id BETWEEN :first AND :last AND (:every_state::boolean OR r.state = ANY (:states::text[]))
  AND (:reason::text IS NULL OR (r.reason_code = :reason AND r.state IN ('invalid', 'skipped')))
ORDER BY r.row_id LIMIT :limit;

-- name: report_rows_left_out
-- Those that are invalid or skipped. A rehearsal has indexes of these alone (rehearsal_index_…), and a page of them costs the same
-- however far down it is; elsewhere the file's rows are gone through.
SELECT r.row_id, r.state,
  CASE WHEN coalesce(r.to_address, r.row_key) NOT LIKE 'hmac:%' THEN
    coalesce(CASE WHEN r.state IN ('created', 'sending', 'unknown') AND a.to_address NOT LIKE 'hmac:%' THEN a.to_address END,
      r.to_address, r.row_key) END,
  coalesce(CASE WHEN r.state IN ('created', 'sending', 'unknown') THEN a.from_address END, r.from_address),
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason_code END,
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason_column END,
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason END,
  r.attempts,
  a.execution_sid, a.http_status, a.error_code, a.error_message, a.found_by, a.sent_at_ms, a.ended_at_ms,
  CASE WHEN r.state IN ('created', 'sending', 'unknown') THEN s.parameters END
FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt LEFT JOIN sent AS s ON s.attempt_id = r.last_attempt
WHERE r.row_id >> 32 = :input_id AND (r.state = 'invalid' OR r.state = 'skipped')
  AND r.row_id BETWEEN :first AND :last ORDER BY r.row_id LIMIT :limit;

-- name: report_rows_left_out_by
-- Those of one reason.
SELECT r.row_id, r.state,
  CASE WHEN coalesce(r.to_address, r.row_key) NOT LIKE 'hmac:%' THEN
    coalesce(CASE WHEN r.state IN ('created', 'sending', 'unknown') AND a.to_address NOT LIKE 'hmac:%' THEN a.to_address END,
      r.to_address, r.row_key) END,
  coalesce(CASE WHEN r.state IN ('created', 'sending', 'unknown') THEN a.from_address END, r.from_address),
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason_code END,
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason_column END,
  CASE WHEN r.state IN ('invalid', 'skipped') THEN r.reason END,
  r.attempts,
  a.execution_sid, a.http_status, a.error_code, a.error_message, a.found_by, a.sent_at_ms, a.ended_at_ms,
  CASE WHEN r.state IN ('created', 'sending', 'unknown') THEN s.parameters END
FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt LEFT JOIN sent AS s ON s.attempt_id = r.last_attempt
WHERE r.row_id >> 32 = :input_id AND (r.state = 'invalid' OR r.state = 'skipped') AND r.reason_code = :reason
  AND r.row_id BETWEEN :first AND :last ORDER BY r.row_id LIMIT :limit;

-- name: executions_to_track
-- Those never looked at, those active when last seen, and those that have ended and whose details were not read like this.
SELECT a.attempt_id, a.execution_sid, a.begun_at_ms, coalesce(a.ended_at_ms, a.begun_at_ms), e.status, e.ended_at_ms, e.flow_version
FROM attempts AS a JOIN runs AS r USING (run_id) LEFT JOIN executions AS e USING (attempt_id)
WHERE a.attempt_id > :after AND r.campaign_id = :campaign_id AND a.outcome = 'created' AND a.execution_sid IS NOT NULL
  AND (e.status IS NULL OR e.status = 'active'
    OR (e.status = 'ended' AND :read_as::text IS NOT NULL AND e.read_as IS DISTINCT FROM :read_as::text))
ORDER BY a.attempt_id LIMIT :limit;

-- name: executions_save
-- columns: bigint, text, bigint, bigint, integer, bigint, text, text, text, integer, text, text
-- unique: column1
-- An execution never becomes active again, whoever saw it so a moment ago; what was read of it before stays.
INSERT INTO executions AS e (attempt_id, status, seen_at_ms, ended_at_ms, flow_version, recalled_at_ms, read_as, last_step, path,
  error_code, error_message, variables)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, column9, column10, column11, column12
FROM {values} AS v(column1, column2, column3, column4, column5, column6, column7, column8, column9, column10, column11, column12)
ON CONFLICT (attempt_id) DO UPDATE SET status = excluded.status, seen_at_ms = excluded.seen_at_ms,
  ended_at_ms = coalesce(excluded.ended_at_ms, e.ended_at_ms), flow_version = coalesce(excluded.flow_version, e.flow_version),
  recalled_at_ms = coalesce(e.recalled_at_ms, excluded.recalled_at_ms),
  read_as = coalesce(excluded.read_as, e.read_as),
  last_step = CASE WHEN excluded.read_as IS NULL THEN e.last_step ELSE excluded.last_step END,
  path = CASE WHEN excluded.read_as IS NULL THEN e.path ELSE excluded.path END,
  error_code = CASE WHEN excluded.read_as IS NULL THEN e.error_code ELSE excluded.error_code END,
  error_message = CASE WHEN excluded.read_as IS NULL THEN e.error_message ELSE excluded.error_message END,
  variables = CASE WHEN excluded.read_as IS NULL THEN e.variables ELSE excluded.variables END
WHERE e.status = 'active' OR excluded.status <> 'active';

-- name: executions_counts
SELECT e.status, e.last_step, e.error_code, e.recalled_at_ms IS NOT NULL, e.read_as IS NOT NULL, count(*), max(e.seen_at_ms)
FROM attempts AS a JOIN runs AS r USING (run_id) LEFT JOIN executions AS e USING (attempt_id)
WHERE r.campaign_id = :campaign_id AND a.outcome = 'created' AND a.execution_sid IS NOT NULL
GROUP BY 1, 2, 3, 4, 5;

-- name: executions_tracked
SELECT EXISTS (SELECT 1 FROM executions JOIN attempts USING (attempt_id) JOIN runs USING (run_id)
  WHERE campaign_id = :campaign_id);

-- name: executions_of_rows
-- In the order of records.TrackedExecution's fields, after the row.
SELECT r.row_id, e.attempt_id, e.status, e.seen_at_ms, e.ended_at_ms, e.flow_version, e.recalled_at_ms, e.read_as, e.last_step, e.path,
  e.error_code, e.error_message, e.variables
FROM unnest(:row_ids::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN rows AS r ON r.row_id = j.value JOIN executions AS e ON e.attempt_id = r.last_attempt
WHERE r.state = 'created';

-- name: notice_run
SELECT started_at_ms, coalesce(stopped_at_ms, seen_at_ms), requests, throttled FROM runs WHERE run_id = :run_id;

-- name: notice_latest
SELECT kind FROM notices WHERE campaign_id = :campaign_id ORDER BY made_at_ms DESC, run_id DESC LIMIT 1;

-- name: notice_dead_runs
SELECT run_id, campaign_id FROM runs WHERE account_id = :account_id AND stopped_at_ms IS NULL AND campaign_id IS NOT NULL ORDER BY run_id;

-- name: notice_insert
INSERT INTO notices (notice_id, campaign_id, run_id, kind, body, channel, made_at_ms)
VALUES (:notice_id, :campaign_id, :run_id, :kind, :body, :channel, :now_ms);

-- name: notice_claim
-- One that fails goes behind the others; a clock that was set back must not keep one claimed for ever.
UPDATE notices SET tries = tries + 1, claimed_until_ms = :until_ms
WHERE notice_id = (
  SELECT notice_id FROM notices
  WHERE sent_at_ms IS NULL AND gave_up_at_ms IS NULL AND (claimed_until_ms <= :now_ms OR claimed_until_ms > :latest_ms)
    AND (channel = :channel OR (:anyones::boolean OR campaign_id = :campaign_id::bigint) AND channel LIKE :sort || ':%')
  ORDER BY tries, made_at_ms DESC, notice_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING notice_id, channel, body, claimed_until_ms;

-- name: notice_sent
UPDATE notices SET sent_at_ms = :now_ms, claimed_until_ms = 0, error = NULL WHERE notice_id = :notice_id;

-- name: notice_failed
-- Whose claim is over says nothing of one that another process is at, or has delivered.
UPDATE notices SET error = :error, gave_up_at_ms = :gave_up_at_ms, claimed_until_ms = 0
WHERE notice_id = :notice_id AND claimed_until_ms = :claimed_until_ms;

-- name: notices_open
SELECT count(*), max(error), min(claimed_until_ms) FROM notices
WHERE sent_at_ms IS NULL AND gave_up_at_ms IS NULL
  AND (channel = :channel OR (:anyones::boolean OR campaign_id = :campaign_id::bigint) AND channel LIKE :sort || ':%');

-- name: notices_of_others
SELECT count(*) FROM notices
WHERE sent_at_ms IS NULL AND gave_up_at_ms IS NULL AND channel <> ALL (:channels::text[]);

-- name: canary_of
SELECT wanted, sent_at_ms, looks, verdict FROM canaries WHERE campaign_id = :campaign_id;

-- name: canary_is_open
-- Whether a campaign's other rows wait for what becomes of its canary.
SELECT EXISTS (SELECT 1 FROM canaries WHERE campaign_id = :campaign_id AND verdict IS NULL);

-- name: canary_planned
-- As planned_rows, of a campaign's canary alone; with places only those that are open.
SELECT row_id, row_key, to_address, from_address, coalesce(identity, row_id) AS identity, attempts, not_after_ms, place_id
FROM canary_rows
WHERE campaign_id = :campaign_id AND state = 'planned' AND row_id >> 32 = :input_id AND not_before_ms <= :now_ms
  AND (not_after_ms = 0 OR not_after_ms > :now_ms)
  AND (:everywhere::boolean OR place_id = ANY (:places::bigint[]))
ORDER BY row_id LIMIT :limit;

-- name: canary_begin
INSERT INTO canaries (campaign_id, wanted) VALUES (:campaign_id, :wanted) ON CONFLICT DO NOTHING;

-- name: canary_sent_keys
SELECT row_key FROM canary_rows
WHERE campaign_id = :campaign_id AND (state = 'sending' OR state = 'created' OR state = 'rejected' OR state = 'unknown');

-- name: canary_candidates
-- How many rows of these inputs may be claimed now: of anyone, or but for those whose senders are full.
SELECT count(*) FROM rows WHERE state = 'planned' AND row_id >> 32 = ANY (:inputs::bigint[]) AND not_before_ms <= :now_ms
  AND (not_after_ms = 0 OR not_after_ms > :now_ms) AND (:everywhere::boolean OR place_id = ANY (:places::bigint[]))
  AND (:anyone::boolean OR coalesce(from_address, (SELECT i.from_address FROM inputs AS i WHERE i.input_id = row_id >> 32))
    <> ALL (:full::text[]));

-- name: canary_pick
-- Those of them that have these positions, in the order of the files.
SELECT row_key FROM (
  SELECT row_key, row_number() OVER (ORDER BY row_id) - 1 AS position FROM rows
  WHERE state = 'planned' AND row_id >> 32 = ANY (:inputs::bigint[]) AND not_before_ms <= :now_ms
    AND (not_after_ms = 0 OR not_after_ms > :now_ms) AND (:everywhere::boolean OR place_id = ANY (:places::bigint[]))
    AND (:anyone::boolean OR coalesce(from_address, (SELECT i.from_address FROM inputs AS i WHERE i.input_id = row_id >> 32))
      <> ALL (:full::text[]))) AS p
WHERE position = ANY (:positions::bigint[]) ORDER BY position;

-- name: canary_choose
UPDATE canaries SET row_keys = :row_keys::text[] WHERE campaign_id = :campaign_id AND verdict IS NULL;

-- name: canary_sent
UPDATE canaries SET sent_at_ms = :now_ms WHERE campaign_id = :campaign_id AND sent_at_ms IS NULL;

-- name: canary_looked
UPDATE canaries SET looks = looks + 1 WHERE campaign_id = :campaign_id;

-- name: canary_settle
UPDATE canaries SET verdict = :verdict WHERE campaign_id = :campaign_id AND verdict IS NULL;

-- name: canary_seen
-- What became of the rows that were sent, as far as it is known, and whether their executions have taught an opt-out.
SELECT r.state, a.attempt_id, a.error_code, e.status = 'ended' AND e.read_as IS NOT NULL, e.error_code,
  a.attempt_id IN (SELECT attempt_id FROM suppression_log WHERE attempt_id IS NOT NULL)
FROM canary_rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt LEFT JOIN executions AS e ON e.attempt_id = a.attempt_id
WHERE r.campaign_id = :campaign_id AND (r.state = 'sending' OR r.state = 'created' OR r.state = 'rejected' OR r.state = 'unknown');

-- name: erasure_key
-- What was forgotten (campaigns forget, campaigns prune). In what follows, the number of who is to be forgotten is as `struck`
-- takes it ('': none), and the hint what every text (or address) has that may name them.
-- Whether the key that is there is the one by which people were forgotten; no row: nobody was.
SELECT coalesce(key_check = pseudonym(''), false) FROM erasures ORDER BY erasure_id DESC LIMIT 1;

-- name: erasure_check
SELECT pseudonym('');

-- name: pseudonyms
SELECT pseudonym(j.value) FROM unnest(:contacts::text[]) WITH ORDINALITY AS j(value, ord) ORDER BY j.ord;

-- name: keys_forgotten
SELECT EXISTS (SELECT 1 FROM row_keys WHERE campaign_id = :campaign_id AND row_key >= 'hmac:' AND row_key < 'hmac;');

-- name: restored_create
-- Rows of a file that is being planned and that its campaign has forgotten: the file brings them anew.
CREATE TEMP TABLE restored ON COMMIT DROP AS
SELECT DISTINCT ON (k.row_id) k.row_id AS old_id, r.row_id AS new_id, r.row_key, k.row_key AS pseudonym
FROM rows AS r JOIN row_keys AS k ON k.campaign_id = :campaign_id AND k.row_key = pseudonym(r.row_key)
WHERE r.row_id BETWEEN :first AND :last AND r.row_key IS NOT NULL ORDER BY k.row_id, r.row_id;

-- name: restored_index
CREATE UNIQUE INDEX restored_old ON pg_temp.restored (old_id);

-- name: restored_index_keys
CREATE UNIQUE INDEX restored_pseudonyms ON pg_temp.restored (pseudonym);

-- name: restored_drop
DROP TABLE IF EXISTS pg_temp.restored;

-- name: restored_same
-- Those whose address is what it was.
SELECT t.old_id FROM pg_temp.restored AS t JOIN rows AS old ON old.row_id = t.old_id JOIN rows AS new ON new.row_id = t.new_id
WHERE old.to_address = pseudonym(contact_of(coalesce(new.to_address, new.row_key)));

-- name: restored_addresses
UPDATE rows SET to_address = t.to_address
FROM (SELECT t.old_id, new.to_address FROM unnest(:row_ids::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN pg_temp.restored AS t ON t.old_id = j.value
        JOIN rows AS new ON new.row_id = t.new_id) AS t
WHERE rows.row_id = t.old_id;

-- name: restored_rows
WITH t AS MATERIALIZED (SELECT old_id, row_key FROM pg_temp.restored)
UPDATE rows SET row_key = t.row_key FROM t WHERE rows.row_id = t.old_id;

-- name: restored_keys
WITH t AS MATERIALIZED (SELECT row_key, pseudonym FROM pg_temp.restored ORDER BY pseudonym)
UPDATE row_keys SET row_key = t.row_key FROM t WHERE row_keys.campaign_id = :campaign_id AND row_keys.row_key = t.pseudonym;

-- name: restored_contacts
-- Where its requests went stays forgotten, and is found by the row's key.
INSERT INTO contacts (account_id, contact, campaign_id, row_key)
SELECT c.account_id, c.contact, c.campaign_id, t.row_key
FROM contacts AS c JOIN pg_temp.restored AS t ON t.pseudonym = CASE c.row_key WHEN '' THEN c.contact ELSE c.row_key END
WHERE c.account_id = :account_id AND c.contact >= 'hmac:' AND c.contact < 'hmac;' AND c.campaign_id = :campaign_id
ON CONFLICT DO NOTHING;

-- name: restored_contacts_delete
DELETE FROM contacts
WHERE account_id = :account_id AND contact >= 'hmac:' AND contact < 'hmac;' AND campaign_id = :campaign_id
  AND CASE row_key WHEN '' THEN contact ELSE row_key END IN (SELECT pseudonym FROM pg_temp.restored);

-- name: restored_ids
-- columns: bigint, text
-- Each of {values}: the row's identity, the id that its requests had. One that has travelled in a request of which it was not known
-- for a time what became of it.
UPDATE attempts SET dispatch_id = v.column2 FROM {values} AS v(column1, column2)
WHERE attempts.row_id = v.column1 AND attempts.absence IS NOT NULL AND attempts.dispatch_id = pseudonym(v.column2);

-- name: restored_canary
UPDATE canaries SET row_keys = ARRAY(
  SELECT coalesce(t.row_key, j.value) FROM unnest(canaries.row_keys) WITH ORDINALITY AS j(value, ord)
    LEFT JOIN pg_temp.restored AS t ON t.pseudonym = j.value ORDER BY j.ord)
WHERE campaign_id = :campaign_id;

-- name: inputs_cut_short
-- Of all campaigns: loads that were cut short and hold rows.
SELECT input_id FROM inputs
WHERE ready_at_ms IS NULL AND EXISTS (SELECT 1 FROM chunks WHERE chunk_id BETWEEN inputs.input_id << 32 AND (inputs.input_id + 1 << 32) - 1);

-- name: person_rows
-- A person's rows: those that are sent to them, and (0) those that another contact has whose key names them.
SELECT row_id, contact_of(coalesce(to_address, row_key)) = :contact FROM rows
WHERE (strpos(to_address, :hint) > 0 OR strpos(row_key, :hint) > 0 OR (row_key ~ '[^0-9+]' AND strpos(row_key, :digit) > 0))
  AND (contact_of(coalesce(to_address, row_key)) = :contact OR contact_of(row_key) = :contact OR struck(row_key, :number) <> row_key);

-- name: person_open
-- Rows of which a request to the person is on its way or unknown, though a newer file has given them another address.
SELECT r.row_id FROM (
  SELECT row_id, last_attempt FROM rows WHERE state = 'sending'
  UNION ALL SELECT row_id, last_attempt FROM rows WHERE state = 'unknown') AS r
  JOIN attempts AS a ON a.attempt_id = r.last_attempt WHERE contact_of(a.to_address) = :contact;

-- name: erasable_rows
-- What stands against forgetting these, and whose they are: campaign, account, state, whether the row has a key, its last attempt's times.
SELECT r.row_id, c.name, a.account_sid, r.state, r.row_key IS NOT NULL, t.begun_at_ms, t.ended_at_ms
FROM unnest(:row_ids::bigint[]) AS j(value) JOIN rows AS r ON r.row_id = j.value JOIN inputs AS i ON i.input_id = r.row_id >> 32
  JOIN campaigns AS c USING (campaign_id) JOIN accounts AS a USING (account_id)
  LEFT JOIN attempts AS t ON t.attempt_id = r.last_attempt
WHERE i.ready_at_ms IS NOT NULL;

-- name: reports_of_rows
-- Where the reports of these rows' campaigns were written last.
SELECT DISTINCT c.report_path FROM unnest(:row_ids::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN inputs AS i ON i.input_id = j.value >> 32
  JOIN campaigns AS c USING (campaign_id) WHERE c.report_path IS NOT NULL ORDER BY 1;

-- name: person_lists
-- The files whose lists name the person, of whatever account.
SELECT DISTINCT l.source FROM suppressed AS s JOIN lists AS l USING (list_id)
WHERE s.contact = ANY (:contacts::text[]) AND l.source <> '' ORDER BY 1;

-- name: person_suppressed
SELECT EXISTS (SELECT 1 FROM suppressed WHERE contact = ANY (:contacts::text[]));

-- name: account_ids
SELECT account_id FROM accounts ORDER BY account_id;

-- name: erasing_create
CREATE TEMP TABLE erasing (row_id bigint PRIMARY KEY) ON COMMIT DROP;

-- name: erasing_drop
DROP TABLE IF EXISTS pg_temp.erasing;

-- name: erasing_rows
INSERT INTO pg_temp.erasing SELECT j.value FROM unnest(:row_ids::bigint[]) AS j(value);

-- name: erasing_campaign
INSERT INTO pg_temp.erasing
SELECT r.row_id FROM inputs AS i JOIN rows AS r ON r.row_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1
WHERE i.campaign_id = :campaign_id;

-- name: erased_create
-- The rows that are forgotten, as they were.
CREATE TEMP TABLE erased ON COMMIT DROP AS
SELECT r.row_id, coalesce(r.identity, r.row_id) AS identity, i.campaign_id, r.row_key, pseudonym(r.row_key) AS pseudonym,
  coalesce(r.to_address, r.row_key) AS address, coalesce(r.from_address, i.from_address) AS sender
FROM pg_temp.erasing AS e JOIN rows AS r USING (row_id) JOIN inputs AS i ON i.input_id = r.row_id >> 32;

-- name: erased_index
CREATE INDEX erased_identity ON pg_temp.erased (identity);

-- name: erased_index_keys
CREATE INDEX erased_keys ON pg_temp.erased (campaign_id, row_key);

-- name: erased_drop
DROP TABLE IF EXISTS pg_temp.erased;

-- name: erased_attempts
-- By whom they were sent stays known: a file that brings the row anew may name another sender.
UPDATE attempts SET error_message = NULL, dispatch_id = pseudonym(dispatch_id),
  from_address = coalesce(from_address, CASE WHEN to_address IS NULL THEN (
    SELECT e.sender FROM pg_temp.erased AS e WHERE e.identity = attempts.row_id LIMIT 1) END),
  to_address = pseudonym(contact_of(
    coalesce(to_address, (SELECT e.address FROM pg_temp.erased AS e WHERE e.identity = attempts.row_id LIMIT 1))))
WHERE row_id IN (SELECT identity FROM pg_temp.erased);

-- name: erased_sent
UPDATE sent SET parameters = '{}'
WHERE (SELECT a.row_id FROM attempts AS a WHERE a.attempt_id = sent.attempt_id) IN (SELECT identity FROM pg_temp.erased);

-- name: erased_executions
UPDATE executions SET variables = NULL, error_message = NULL
WHERE (variables IS NOT NULL OR error_message IS NOT NULL)
  AND (SELECT a.row_id FROM attempts AS a WHERE a.attempt_id = executions.attempt_id) IN (SELECT identity FROM pg_temp.erased);

-- name: erased_contacts_create
CREATE TEMP TABLE erased_contacts ON COMMIT DROP AS
SELECT c.account_id, c.contact, c.campaign_id, c.row_key
FROM contacts AS c JOIN pg_temp.erased AS e ON e.campaign_id = c.campaign_id
  AND e.row_key = CASE c.row_key WHEN '' THEN c.contact ELSE c.row_key END;

-- name: erased_contacts_drop
DROP TABLE IF EXISTS pg_temp.erased_contacts;

-- name: erased_contacts_delete
DELETE FROM contacts WHERE (account_id, contact, campaign_id, row_key) IN (
  SELECT account_id, contact, campaign_id, row_key FROM pg_temp.erased_contacts);

-- name: erased_contacts_insert
INSERT INTO contacts (account_id, contact, campaign_id, row_key)
SELECT account_id, pseudonym(contact), campaign_id, CASE WHEN row_key = '' OR row_key = contact THEN '' ELSE pseudonym(row_key) END
FROM pg_temp.erased_contacts ORDER BY 1, 2, 3, 4
ON CONFLICT DO NOTHING;

-- name: erased_keys
UPDATE row_keys SET row_key = e.pseudonym FROM pg_temp.erased AS e
WHERE row_keys.campaign_id = e.campaign_id AND row_keys.row_key = e.row_key AND e.row_key <> e.pseudonym;

-- name: erased_canaries
UPDATE canaries SET row_keys = ARRAY(
  SELECT coalesce(e.pseudonym, j.value) FROM unnest(canaries.row_keys) WITH ORDINALITY AS j(value, ord)
    LEFT JOIN pg_temp.erased AS e ON e.campaign_id = canaries.campaign_id AND e.row_key = j.value ORDER BY j.ord)
WHERE campaign_id IN (SELECT campaign_id FROM pg_temp.erased);

-- name: erased_planned
SELECT r.row_id >> 32, count(*) FROM pg_temp.erasing AS e JOIN rows AS r USING (row_id) WHERE r.state = 'planned' GROUP BY 1;

-- name: erased_rows
UPDATE rows SET row_key = pseudonym(row_key),
  to_address = CASE WHEN row_key IS NOT NULL THEN pseudonym(contact_of(coalesce(to_address, row_key))) END,
  state = CASE state WHEN 'planned' THEN 'skipped' ELSE state END,
  reason_code = CASE state WHEN 'planned' THEN 'forgotten' ELSE reason_code END, reason_column = NULL,
  reason = CASE WHEN state = 'planned' OR reason_code IS NOT NULL THEN :sentence END,
  not_before_ms = 0, not_after_ms = 0, place_id = 0
WHERE row_id IN (SELECT row_id FROM pg_temp.erasing);

-- name: erased_count
SELECT count(*) FROM pg_temp.erasing;

-- name: chunks_count
SELECT count(*) FROM chunks;

-- name: chunks_behind
SELECT chunk_id, cells FROM chunks WHERE chunk_id > :after AND chunk_id <= :last ORDER BY chunk_id LIMIT :limit;

-- name: chunk_set
UPDATE chunks SET cells = :cells WHERE chunk_id = :chunk_id;

-- name: person_contacts
WITH gone AS (DELETE FROM contacts WHERE account_id = :account_id AND contact = :contact RETURNING campaign_id, row_key)
INSERT INTO contacts (account_id, contact, campaign_id, row_key) SELECT :account_id, :pseudonym, campaign_id, row_key FROM gone
ON CONFLICT DO NOTHING;

-- name: person_attempts
-- Requests that went to the person: tests, and those of rows that a newer file has given another address.
SELECT attempt_id FROM attempts WHERE to_address IS NOT NULL AND strpos(to_address, :hint) > 0 AND contact_of(to_address) = :contact;

-- name: attempts_forget
UPDATE attempts SET to_address = :pseudonym, error_message = NULL WHERE attempt_id = ANY (:attempt_ids::bigint[]);

-- name: sent_blank
UPDATE sent SET parameters = '{}' WHERE attempt_id = ANY (:attempt_ids::bigint[]);

-- name: executions_blank
UPDATE executions SET variables = NULL, error_message = NULL WHERE attempt_id = ANY (:attempt_ids::bigint[]);

-- name: person_foreign
WITH gone AS (DELETE FROM foreign_executions WHERE contact = :contact RETURNING account_id, flow_sid, execution_sid, created_at_ms, by_api)
INSERT INTO foreign_executions (account_id, flow_sid, contact, execution_sid, created_at_ms, by_api)
SELECT account_id, flow_sid, :pseudonym, execution_sid, created_at_ms, by_api FROM gone
ON CONFLICT (account_id, flow_sid, contact, execution_sid) DO UPDATE SET created_at_ms = excluded.created_at_ms, by_api = excluded.by_api;

-- name: person_suppress
WITH gone AS (DELETE FROM suppressed WHERE account_id = :account_id AND contact IN (:contact, hash_of(:contact::text)) RETURNING list_id)
INSERT INTO suppressed (account_id, contact, list_id) SELECT DISTINCT :account_id::bigint, :pseudonym, list_id FROM gone
ON CONFLICT DO NOTHING;

-- name: person_log
UPDATE suppression_log SET contact = :pseudonym, reason = '' WHERE contact IN (:contact, hash_of(:contact));

-- name: strike_attempts
UPDATE attempts SET error_message = struck(error_message, :number)
WHERE strpos(error_message, :hint) > 0 AND struck(error_message, :number) <> error_message;

-- name: strike_executions
UPDATE executions SET error_message = struck(error_message, :number), variables = struck(variables, :number)
WHERE ( strpos(error_message, :hint) > 0 OR strpos(variables, :hint) > 0)
  AND (struck(error_message, :number) <> error_message OR struck(variables, :number) <> variables);

-- name: strike_sent
UPDATE sent SET parameters = struck(parameters, :number)
WHERE strpos(parameters, :hint) > 0 AND struck(parameters, :number) <> parameters;

-- name: strike_rows
UPDATE rows SET reason = struck(reason, :number) WHERE strpos(reason, :hint) > 0 AND struck(reason, :number) <> reason;

-- name: strike_runs
UPDATE runs SET stop_reason = struck(stop_reason, :number)
WHERE strpos(stop_reason, :hint) > 0 AND struck(stop_reason, :number) <> stop_reason;

-- name: strike_campaigns
UPDATE campaigns SET wish_reason = struck(wish_reason, :number)
WHERE strpos(wish_reason, :hint) > 0 AND struck(wish_reason, :number) <> wish_reason;

-- name: strike_notices
UPDATE notices SET body = struck(body, :number), error = struck(error, :number)
WHERE ( strpos(body, :hint) > 0 AND struck(body, :number) <> body) OR ( strpos(error, :hint) > 0 AND struck(error, :number) <> error);

-- name: strike_log
UPDATE suppression_log SET reason = struck(reason, :number) WHERE strpos(reason, :hint) > 0 AND struck(reason, :number) <> reason;

-- name: attempts_forgotten
-- Of these attempts those whose contact is forgotten.
SELECT a.attempt_id FROM unnest(:attempt_ids::bigint[]) WITH ORDINALITY AS j(value, ord) JOIN attempts AS a ON a.attempt_id = j.value
WHERE a.to_address LIKE 'hmac:%';

-- name: erasure_insert
INSERT INTO erasures (at_ms, action, contact, campaign_id, rows, actor, key_check)
VALUES (:now_ms, :action, :contact, :campaign_id, :rows, :actor, pseudonym(''));

-- name: erasures_cleaned
UPDATE erasures SET cleaned_at_ms = :now_ms WHERE cleaned_at_ms IS NULL;

-- name: erasures_all
SELECT e.at_ms, e.action, e.contact, c.name, e.rows, e.actor, e.cleaned_at_ms
FROM erasures AS e LEFT JOIN campaigns AS c USING (campaign_id) ORDER BY e.erasure_id;

-- name: archive
-- Each campaign: when anything of it happened last, how large its cells are, and whether it was pruned since.
SELECT c.campaign_id, c.created_at_ms, r.first_ms, r.last_ms,
  greatest(c.created_at_ms, coalesce(r.last_ms, 0), coalesce(i.ready_ms, 0)) AS active_ms, coalesce(i.bytes, 0)::bigint,
  EXISTS (SELECT 1 FROM erasures AS e WHERE e.campaign_id = c.campaign_id
    AND e.at_ms >= greatest(c.created_at_ms, coalesce(r.last_ms, 0), coalesce(i.ready_ms, 0)))
FROM campaigns AS c
  LEFT JOIN (SELECT campaign_id, min(started_at_ms) AS first_ms, max(coalesce(stopped_at_ms, seen_at_ms)) AS last_ms
             FROM runs GROUP BY campaign_id) AS r USING (campaign_id)
  LEFT JOIN (SELECT campaign_id, max(greatest(coalesce(ready_at_ms, 0), begun_at_ms)) AS ready_ms, sum((
               SELECT sum(length(cells)) FROM chunks WHERE chunk_id BETWEEN input_id << 32 AND (input_id + 1 << 32) - 1)) AS bytes
             FROM inputs GROUP BY campaign_id) AS i USING (campaign_id)
ORDER BY c.campaign_id;

-- name: export_campaign
SELECT created_at_ms, report_path, key_columns, wish, wished_by, wish_reason, wished_at_ms, due_ms FROM campaigns WHERE campaign_id = :campaign_id;

-- name: export_inputs
SELECT input_id, source, folder, sha256, header, parameter_columns, parameter_constants, from_address, begun_at_ms, ready_at_ms
FROM inputs WHERE campaign_id = :campaign_id AND ready_at_ms IS NOT NULL ORDER BY input_id;

-- name: export_runs
SELECT run_id, started_at_ms, seen_at_ms, stopped_at_ms, stop_reason, requests, throttled, worst_window, window_limit, clock_skew_ms
FROM runs WHERE campaign_id = :campaign_id ORDER BY run_id;

-- name: export_rows
SELECT r.row_id, coalesce(r.identity, r.row_id), r.row_key, r.state, coalesce(r.to_address, r.row_key), r.from_address,
  r.not_before_ms, r.not_after_ms, r.reason_code, r.reason_column, r.reason, r.attempts, p.zones, p.country, p.area
FROM rows AS r LEFT JOIN places AS p ON p.place_id = r.place_id AND r.place_id <> 0
WHERE r.row_id > :after AND r.row_id <= :last ORDER BY r.row_id LIMIT :limit;

-- name: export_attempts
SELECT a.attempt_id, a.row_id, a.number, a.run_id, a.begun_at_ms, a.sent_at_ms, a.ended_at_ms, a.outcome, a.http_status, a.error_code,
  a.error_message, a.execution_sid, a.request_id, a.found_by, a.to_address, a.from_address, a.dispatch_id, a.absence, s.parameters,
  e.status, e.seen_at_ms, e.ended_at_ms, e.flow_version, e.recalled_at_ms, e.last_step, e.path, e.error_code, e.error_message,
  e.variables
FROM attempts AS a LEFT JOIN sent AS s USING (attempt_id) LEFT JOIN executions AS e USING (attempt_id)
WHERE a.attempt_id > :after AND a.run_id IN (SELECT run_id FROM runs WHERE campaign_id = :campaign_id)
ORDER BY a.attempt_id LIMIT :limit;

-- name: export_erasures
SELECT at_ms, action, rows, actor, cleaned_at_ms FROM erasures WHERE campaign_id = :campaign_id ORDER BY erasure_id;

-- name: restored_identities
SELECT coalesce(r.identity, r.row_id), t.row_key FROM pg_temp.restored AS t JOIN rows AS r ON r.row_id = t.old_id;

-- What only a server needs: leases, its clock, what it is.

-- name: account_lock
-- One writer an account: before anything of it is read. :few: what is done then is about few rows, which are found by their keys.
-- Left to itself the server would go through a table that was small when the statement was prepared, be it large by now.
SELECT few_rows(:few::boolean) FROM accounts WHERE account_id = :account_id FOR NO KEY UPDATE;

-- name: lease_take
-- An account that somebody writes to just now is somebody's. A lease that would last for longer than any does is of before the
-- server's clock was set back: its holder would have renewed it since. Whatever run had the account before knows nothing of it now.
UPDATE accounts SET epoch = epoch + 1, holder = :holder, lease_until = clock_timestamp() + make_interval(secs => :lease_s),
  wanted_until = '-infinity'
WHERE account_id = (SELECT account_id FROM accounts WHERE account_id = :account_id AND NOT is_leased(lease_until)
                    FOR NO KEY UPDATE SKIP LOCKED)
RETURNING epoch;

-- name: lease_renew
-- :few: as account_lock.
UPDATE accounts SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE account_id = :account_id AND holder = :holder
RETURNING few_rows(:few::boolean);

-- name: lease_renew_all
-- Those of one process; an account that is being written to by it is renewed by that.
UPDATE accounts AS a SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
FROM (SELECT account_id FROM accounts WHERE holder = ANY (:holders::text[]) ORDER BY account_id FOR NO KEY UPDATE SKIP LOCKED) AS mine
WHERE a.account_id = mine.account_id
RETURNING a.account_id, a.wanted_until > clock_timestamp();

-- name: lease_release
UPDATE accounts SET holder = NULL, lease_until = '-infinity' WHERE account_id = :account_id AND holder = :holder;

-- name: lease_want
UPDATE accounts SET wanted_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE account_id = (SELECT account_id FROM accounts WHERE account_id = :account_id FOR NO KEY UPDATE SKIP LOCKED);

-- name: lease_is_wanted
SELECT wanted_until > clock_timestamp() FROM accounts WHERE account_id = :account_id;

-- name: lease_held
SELECT is_leased(lease_until) FROM accounts WHERE account_id = :account_id;

-- name: lease_holder
SELECT CASE WHEN is_leased(lease_until) THEN holder END FROM accounts WHERE account_id = :account_id;

-- name: figures_anew
SELECT figures_anew();

-- name: key_get
SELECT key FROM forgotten_key;

-- name: key_make
INSERT INTO forgotten_key (key, inner_pad, outer_pad)
VALUES (:key, hmac_pad(decode(:key::text, 'hex'), 54), hmac_pad(decode(:key::text, 'hex'), 92)) ON CONFLICT DO NOTHING;

-- name: clock_now_us
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: server_facts
-- The timeline is that of what is written now: the control file tells of the last checkpoint. A dump that was restored into the
-- same server has made the tables anew, so the system is told with the number of one of them.
SELECT current_setting('server_version_num')::integer, current_setting('fsync'), current_setting('full_page_writes'),
  current_setting('synchronous_commit'), pg_is_in_recovery(),
  (SELECT system_identifier::text FROM pg_control_system()) || coalesce('/' || to_regclass('ledger_meta')::oid, ''),
  CASE WHEN pg_is_in_recovery() THEN 0 ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END;

-- name: migrate_lock
-- Of those that want to do this at one moment one does it at a time. Any number that no other program takes for its own.
SELECT pg_advisory_xact_lock(1685286004);

-- name: migrate_schema
CREATE SCHEMA IF NOT EXISTS dispatcher;

-- name: ledger_meta_exists
SELECT to_regclass('dispatcher.ledger_meta') IS NOT NULL;

-- name: ledger_meta_get
SELECT schema_version, system_identifier, timeline FROM ledger_meta;

-- name: ledger_meta_set
INSERT INTO ledger_meta (schema_version, system_identifier, timeline) VALUES (:schema_version, :system_identifier, :timeline)
ON CONFLICT (one) DO UPDATE SET schema_version = excluded.schema_version, system_identifier = excluded.system_identifier,
  timeline = excluded.timeline;
