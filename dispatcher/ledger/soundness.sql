-- What must never be of a ledger, whatever its database: each query has the rows for which it is, told by a number.
-- tests/support/ledgers.py holds these and more; here they are to be quick with millions of rows.

-- name: tallies
SELECT input_id FROM (
  SELECT input_id, state, n FROM tallies WHERE n <> 0
  UNION ALL SELECT row_id >> 32, state, -count(*) FROM rows GROUP BY 1, 2) AS counted
GROUP BY input_id, state HAVING sum(n) <> 0;

-- name: twice
SELECT row_id FROM attempts WHERE outcome IS NULL OR outcome IN ('unknown', 'created') GROUP BY row_id HAVING count(*) > 1;

-- name: identities
SELECT coalesce(identity, row_id) FROM rows GROUP BY 1 HAVING count(*) > 1;

-- name: keys
SELECT k.row_id FROM row_keys AS k LEFT JOIN rows AS r USING (row_id)
WHERE r.row_id IS NULL OR r.row_key IS NULL OR r.row_key <> k.row_key;

-- name: keyless
SELECT r.row_id FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32
  LEFT JOIN row_keys AS k ON k.campaign_id = i.campaign_id AND k.row_key = r.row_key
WHERE i.ready_at_ms IS NOT NULL AND r.row_key IS NOT NULL AND (k.row_id IS NULL OR k.row_id <> r.row_id);

-- name: states
SELECT r.row_id FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt
WHERE (r.state = 'sending' AND (a.attempt_id IS NULL OR a.outcome IS NOT NULL))
  OR (r.state IN ('created', 'rejected', 'busy', 'unknown') AND coalesce(a.outcome, '') <> r.state);

-- name: in_flight
SELECT a.attempt_id FROM attempts AS a LEFT JOIN rows AS r ON r.last_attempt = a.attempt_id
WHERE a.row_id >= 0 AND ((a.outcome IS NULL AND coalesce(r.state, '') <> 'sending')
  OR (a.outcome = 'created' AND coalesce(r.state, '') <> 'created'));

-- name: others
SELECT r.row_id FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt WHERE coalesce(r.identity, r.row_id) <> a.row_id;

-- name: contacts
SELECT attempt_id FROM attempts WHERE row_id >= 0 AND (outcome IS NULL OR outcome IN ('created', 'unknown'))
EXCEPT SELECT attempt_id FROM contacted;

-- name: cells
-- A file that has rows and no cells at all.
SELECT i.input_id FROM inputs AS i
WHERE EXISTS (SELECT 1 FROM rows AS r WHERE r.row_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1)
  AND NOT EXISTS (SELECT 1 FROM chunks AS c WHERE c.chunk_id BETWEEN i.input_id << 32 AND (i.input_id + 1 << 32) - 1);

-- name: pointers
SELECT c.campaign_id FROM campaigns AS c LEFT JOIN inputs AS i USING (input_id) WHERE c.input_id IS NOT NULL AND i.input_id IS NULL;
