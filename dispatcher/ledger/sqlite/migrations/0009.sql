-- Rows that newer files have given another number: found by their attempts.
CREATE INDEX rows_moved ON rows (identity) WHERE identity IS NOT NULL;

-- Whom an account must not reach: a list each for the files that settings name, for contacts who have opted out (as tracking has
-- learned) and for those that somebody has put there by hand.
CREATE TABLE lists (
  list_id    INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts,
  kind       TEXT NOT NULL CHECK (kind = 'file' OR kind = 'hashed' OR kind = 'learned' OR kind = 'user'),
  source     TEXT NOT NULL DEFAULT '',     -- the file, absolute; '': no file
  read_as    TEXT NOT NULL DEFAULT '',     -- of a file: what its entries depend on, its bytes and how they are read
  read_at_ms INTEGER,                      -- NULL: a file that is being read, or whose reading was cut short
  entries    INTEGER NOT NULL DEFAULT 0,
  unreadable INTEGER NOT NULL DEFAULT 0    -- lines of a file that hold no contact
);
CREATE INDEX lists_of_account ON lists (account_id);

CREATE TABLE suppressed (
  account_id INTEGER NOT NULL,
  contact    TEXT NOT NULL,                -- an address without its channel, or 'sha256:' and the digest of one in hex
  list_id    INTEGER NOT NULL,
  PRIMARY KEY (account_id, contact, list_id)
) WITHOUT ROWID;

-- Who was put on a list, or taken off it, when, by whom and why. Nothing of it is ever changed.
CREATE TABLE suppression_log (
  log_id     INTEGER PRIMARY KEY,
  at_ms      INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  contact    TEXT,                         -- NULL: a file was read
  action     TEXT NOT NULL CHECK (action = 'added' OR action = 'removed' OR action = 'read'),
  kind       TEXT NOT NULL,                -- as lists.kind
  source     TEXT NOT NULL DEFAULT '',
  actor      TEXT NOT NULL DEFAULT '',     -- the user of the machine; '': the program itself
  reason     TEXT NOT NULL DEFAULT '',
  attempt_id INTEGER                       -- whose execution has taught it
);
CREATE INDEX suppression_log_of_contact ON suppression_log (account_id, contact);
CREATE TRIGGER suppression_log_unchanged BEFORE UPDATE ON suppression_log BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER suppression_log_kept BEFORE DELETE ON suppression_log BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;

-- Contacts to whom Twilio has refused messages since they have opted out (21610), as far as that was read before.
INSERT INTO lists (account_id, kind, read_at_ms)
SELECT DISTINCT r.account_id, 'learned', max(e.seen_at_ms)
FROM executions AS e JOIN attempts AS a USING (attempt_id) JOIN runs AS r USING (run_id) WHERE e.error_code = 21610 GROUP BY r.account_id;

CREATE TEMP TABLE opted_out AS
SELECT account_id, attempt_id, seen_at_ms, CASE WHEN instr(address, ':') = 0 THEN address
    WHEN lower(substr(address, 1, instr(address, ':') - 1)) IN (
      'client', 'messenger', 'mms', 'rcs', 'sip', 'sips', 'sms', 'tel', 'viber', 'whatsapp') THEN substr(address, instr(address, ':') + 1)
    ELSE address END AS contact
FROM (
  SELECT s.account_id, a.attempt_id, e.seen_at_ms, coalesce(a.to_address, r.to_address, r.row_key) AS address
  FROM executions AS e CROSS JOIN attempts AS a USING (attempt_id) CROSS JOIN runs AS s USING (run_id)
    CROSS JOIN rows AS r ON r.row_id = a.row_id OR r.identity = a.row_id
  WHERE e.error_code = 21610);

INSERT OR IGNORE INTO suppressed (account_id, contact, list_id)
SELECT o.account_id, o.contact, l.list_id FROM temp.opted_out AS o JOIN lists AS l ON l.account_id = o.account_id AND l.kind = 'learned';

INSERT INTO suppression_log (at_ms, account_id, contact, action, kind, reason, attempt_id)
SELECT max(seen_at_ms), account_id, contact, 'added', 'learned', 'Twilio refused a message: 21610', attempt_id
FROM temp.opted_out GROUP BY account_id, contact;

UPDATE lists SET entries = (SELECT count(*) FROM suppressed AS s WHERE s.list_id = lists.list_id);

DROP TABLE temp.opted_out;
