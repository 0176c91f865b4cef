-- The ledger, version 17. Times are milliseconds since the epoch, UTC. Names of states and outcomes as in dispatcher/model.py.

CREATE TABLE accounts (
  account_id   INTEGER PRIMARY KEY,
  account_sid  TEXT NOT NULL,              -- both in their one spelling (ledger/identity.py)
  base_url     TEXT NOT NULL,              -- a rehearsal against another host is another account
  epoch        INTEGER NOT NULL DEFAULT 0, -- raised by each run that takes the account over; fences the runs before it
  per_second   REAL,                       -- its own rate, where many machines share it; NULL: not set
  hold_until_ms INTEGER,                   -- a pause after 429s, for whoever sends next; NULL, or past: none
  ceiling_per_s REAL,                      -- what 429s have left of the rate; NULL: all
  UNIQUE (account_sid, base_url)
);

CREATE TABLE campaigns (
  campaign_id   INTEGER PRIMARY KEY,
  name          TEXT NOT NULL,
  account_id    INTEGER NOT NULL REFERENCES accounts,
  flow_sid      TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  input_id      INTEGER,                   -- the latest file that was planned whole
  report_path   TEXT,
  key_columns   TEXT,                      -- JSON array: what makes a row the same row; []: its address; NULL: not known
  -- What is wanted of it: changed by any process at any time, by compare-and-set of the version, and held by each claim.
  wish          TEXT NOT NULL DEFAULT 'send' CHECK (wish = 'send' OR wish = 'pause'),
  wished_by     TEXT NOT NULL DEFAULT 'user',  -- as model.PausedBy
  wish_reason   TEXT,
  wished_at_ms  INTEGER,
  due_ms        INTEGER,                   -- from when on a server is to send it; NULL: nobody but a terminal does
  next_at_ms    INTEGER,                   -- when the first of the rows that wait may be sent; NULL: not known, or none waits
  version       INTEGER NOT NULL DEFAULT 0, -- raised by each change of these
  settings      TEXT,                      -- JSON, nothing secret: what a server sends it with; NULL: the server's own
  UNIQUE (account_id, name)
);

-- A file as it was planned into a campaign. Its rows count only once ready_at_ms is set: a load that was cut short is removed.
CREATE TABLE inputs (
  input_id            INTEGER PRIMARY KEY,
  campaign_id         INTEGER NOT NULL REFERENCES campaigns,
  source              TEXT NOT NULL,
  sha256              TEXT NOT NULL DEFAULT '',
  header              TEXT NOT NULL,       -- JSON array
  parameter_columns   TEXT NOT NULL,       -- JSON object, parameter -> index into the cells
  parameter_constants TEXT NOT NULL,       -- JSON object
  from_address        TEXT,
  keyed               INTEGER NOT NULL DEFAULT 0, -- rows loaded that have a key
  begun_at_ms         INTEGER NOT NULL,
  ready_at_ms         INTEGER,
  folder              TEXT NOT NULL DEFAULT '',  -- where the file lay, absolute; '': not known, or standard input
  key_columns         TEXT,                      -- JSON array, as campaigns.key_columns; NULL: not known
  removes             INTEGER NOT NULL DEFAULT 0, -- 1: rows of earlier files that it lacks are to be taken out, and are not yet
  own_senders         INTEGER NOT NULL DEFAULT 0 -- 1: each row that can be sent has a from_address; 0: none has
);
CREATE INDEX inputs_of_campaign ON inputs (campaign_id);

-- What changes of a row. row_id = input_id << 32 | row_number, so a file's rows lie together and in the file's order.
-- The CHECKs are chains of OR: IN (...) builds a table each time, which tripled the cost of a row.
CREATE TABLE rows (
  row_id        INTEGER PRIMARY KEY,
  identity      INTEGER,                   -- the row_id it had in the first file that held it; NULL: this one
  row_key       TEXT,                      -- NULL: can never be sent (wrong, or not the first of its key); else in row_keys
  state         TEXT NOT NULL DEFAULT 'planned'
                CHECK (state = 'planned' OR state = 'sending' OR state = 'created' OR state = 'rejected'
                  OR state = 'busy' OR state = 'unknown' OR state = 'invalid' OR state = 'skipped'),
  to_address    TEXT,                      -- as the latest file says; NULL: the row key is the address
  from_address  TEXT,                      -- NULL: the input's sender
  not_before_ms INTEGER NOT NULL DEFAULT 0,
  reason_code   TEXT,                      -- why it is invalid or skipped. On a row in flight or unknown: why it is not
                                           -- planned again if nothing was created (cancelled, or no longer in order)
  reason_column TEXT,
  reason        TEXT,
  attempts      INTEGER NOT NULL DEFAULT 0,
  last_attempt  INTEGER,
  place_id      INTEGER NOT NULL DEFAULT 0, -- where the contact may be; 0: not looked up
  not_after_ms  INTEGER NOT NULL DEFAULT 0  -- 0: whenever
);
-- By input, since one campaign's waiting rows must not slow another's. row_id >> 32 is the input.
CREATE INDEX rows_planned ON rows (row_id >> 32, not_before_ms) WHERE state = 'planned';
-- Rows with a place, by place: those of closed ones cost nothing while they wait.
CREATE INDEX rows_placed ON rows (row_id >> 32, place_id, not_before_ms) WHERE state = 'planned' AND place_id <> 0;
CREATE INDEX rows_expiring ON rows (row_id >> 32, not_after_ms) WHERE state = 'planned' AND not_after_ms > 0;
-- Rows that have senders of their own, by sender: those of one that has sent enough for today cost nothing while they wait.
CREATE INDEX rows_from ON rows (row_id >> 32, from_address, place_id, not_before_ms)
  WHERE state = 'planned' AND from_address IS NOT NULL;
CREATE INDEX rows_sending ON rows (state) WHERE state = 'sending';
CREATE INDEX rows_unknown ON rows (state) WHERE state = 'unknown';
-- Rows that newer files have given another number: found by their attempts.
CREATE INDEX rows_moved ON rows (identity) WHERE identity IS NOT NULL;

-- What never changes of a row: its cells, some hundred rows to a chunk, as a JSON array of arrays of text.
-- chunk_id is the row_id of its first row; a row_number without a contact (a blank line) is null.
CREATE TABLE chunks (
  chunk_id INTEGER PRIMARY KEY,
  cells    BLOB NOT NULL
);

-- One row per key and campaign: this is what makes a row the same row on a re-run. Filled in key order, hence a table of its own.
CREATE TABLE row_keys (
  campaign_id INTEGER NOT NULL,
  row_key     TEXT NOT NULL,
  row_id      INTEGER NOT NULL,
  PRIMARY KEY (campaign_id, row_key)
) WITHOUT ROWID;

CREATE TABLE runs (
  run_id        INTEGER PRIMARY KEY,
  campaign_id   INTEGER REFERENCES campaigns, -- NULL: a test send's
  account_id    INTEGER NOT NULL REFERENCES accounts,
  epoch         INTEGER NOT NULL,
  pid           INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL,
  seen_at_ms    INTEGER NOT NULL,          -- last commit of results
  stopped_at_ms INTEGER,                   -- NULL: running, or killed and not yet found out
  stop_reason   TEXT,
  requests      INTEGER NOT NULL DEFAULT 0,
  throttled     INTEGER NOT NULL DEFAULT 0,
  worst_window  INTEGER NOT NULL DEFAULT 0,
  window_limit  INTEGER NOT NULL DEFAULT 0,
  clock_skew_ms INTEGER,                   -- Studio's clock less ours, as the run measured it; NULL: not known
  host          TEXT NOT NULL DEFAULT '',  -- the machine that it sends from; '': an older program has not told
  waits         TEXT,                      -- why nothing leaves now, for people; NULL: it waits for nothing
  waits_until_ms INTEGER,                  -- until when; NULL: not known
  rate_per_s    REAL                       -- what its limiter allows now
);
CREATE INDEX runs_of_campaign ON runs (campaign_id);
CREATE INDEX runs_of_account ON runs (account_id);
CREATE INDEX runs_open ON runs (account_id) WHERE stopped_at_ms IS NULL;

-- One HTTP create request. Written before its first byte leaves, completed by its outcome.
CREATE TABLE attempts (
  attempt_id    INTEGER PRIMARY KEY,
  row_id        INTEGER NOT NULL,          -- the row's identity; a test send has none: its run's number, below zero
  number        INTEGER NOT NULL,          -- 1 for a row's first; a 429 does not count
  run_id        INTEGER NOT NULL,
  begun_at_ms   INTEGER NOT NULL,          -- the intent was written
  sent_at_ms    INTEGER,                   -- the request left; NULL: not known, or never
  ended_at_ms   INTEGER,
  outcome       TEXT CHECK (outcome = 'created' OR outcome = 'rejected' OR outcome = 'throttled'
                  OR outcome = 'busy' OR outcome = 'not_sent' OR outcome = 'unknown'),
  http_status   INTEGER,
  error_code    INTEGER,
  error_message TEXT,
  execution_sid TEXT,
  request_id    TEXT,
  found_by      TEXT,
  to_address    TEXT,                      -- where it went, once a newer file gives the row another address; NULL: the row's
  from_address  TEXT,
  dispatch_id   TEXT,                      -- the id that travelled in Parameters; NULL: none, or written before version 5
  absence       TEXT CHECK (absence = 'proved' OR absence = 'assumed' OR absence = 'risked')
                                           -- was unknown and counts as not sent: why; NULL: was not, or was found
);
-- Never twice, held by the database itself: while an attempt of a row is open, unknown or created, no other can be begun.
CREATE UNIQUE INDEX attempts_live ON attempts (row_id)
  WHERE outcome IS NULL OR outcome = 'unknown' OR outcome = 'created';
-- Few: a row's attempts that were unknown once.
CREATE INDEX attempts_absent ON attempts (row_id) WHERE absence IS NOT NULL;
-- The newest attempts of an account are those of its newest runs.
CREATE INDEX attempts_of_run ON attempts (run_id);

-- What an attempt sent, where the row's newest file says something else. No row here: as the file says.
CREATE TABLE sent (
  attempt_id  INTEGER PRIMARY KEY REFERENCES attempts,
  campaign_id INTEGER NOT NULL,
  parameters  TEXT NOT NULL                -- JSON object, parameter -> what was sent, of those that differ; null: was not sent.
);                                         -- {}: only the address differs
CREATE INDEX sent_of_campaign ON sent (campaign_id);

-- The rows by whom they reach: a contact is an address without its channel (`whatsapp:`). Filled in the order of contacts when
-- a file is planned: a write for each intent would touch a page of its own.
CREATE TABLE contacts (
  account_id  INTEGER NOT NULL,
  contact     TEXT NOT NULL,
  campaign_id INTEGER NOT NULL,
  row_key     TEXT NOT NULL,               -- '': the contact itself
  PRIMARY KEY (account_id, contact, campaign_id, row_key)
) WITHOUT ROWID;

-- Whom an account's campaigns have begun to reach: attempts that created an execution, may have, or are on their way, each
-- written before its request leaves. Test sends are not here. A row may have gone to another address than it has now.
CREATE VIEW contacted AS
SELECT c.account_id, c.contact, c.campaign_id, c.row_key, k.row_id, a.attempt_id, a.begun_at_ms, a.outcome, a.execution_sid
FROM contacts AS c
  CROSS JOIN row_keys AS k ON k.campaign_id = c.campaign_id AND k.row_key = CASE c.row_key WHEN '' THEN c.contact ELSE c.row_key END
  CROSS JOIN rows AS r ON r.row_id = k.row_id CROSS JOIN attempts AS a ON a.attempt_id = r.last_attempt
WHERE (a.outcome IS NULL OR a.outcome = 'created' OR a.outcome = 'unknown')
  AND c.contact IN (coalesce(a.to_address, r.to_address, k.row_key),
    substr(coalesce(a.to_address, r.to_address, k.row_key), instr(coalesce(a.to_address, r.to_address, k.row_key), ':') + 1));

-- Executions that Studio has shown and this ledger has not begun: another folder's, machine's or program's. Times by Studio's clock.
CREATE TABLE foreign_executions (
  account_id    INTEGER NOT NULL,
  flow_sid      TEXT NOT NULL,
  contact       TEXT NOT NULL,
  execution_sid TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  by_api        INTEGER,                   -- 1: begun by a create request, 0: by the contact; NULL: not known
  PRIMARY KEY (account_id, flow_sid, contact, execution_sid)
) WITHOUT ROWID;

-- The last look for them: from since_ms on none is missing, up to when its run has sent its last request.
CREATE TABLE looks (
  account_id    INTEGER NOT NULL,
  flow_sid      TEXT NOT NULL,
  run_id        INTEGER NOT NULL,
  looked_at_ms  INTEGER NOT NULL,          -- by our clock
  clock_skew_ms INTEGER NOT NULL,          -- Studio's less that
  since_ms      INTEGER NOT NULL,          -- by Studio's
  PRIMARY KEY (account_id, flow_sid)
) WITHOUT ROWID;

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

-- Who was put on a list, or taken off it, when, by whom and why. Nothing of it is ever changed, but for who is forgotten.
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
-- Who is forgotten stays in it as what stands for them, without the reason that somebody has written; and their number is struck
-- out of the reasons of others.
CREATE TRIGGER suppression_log_unchanged BEFORE UPDATE ON suppression_log
WHEN NOT (new.contact IS old.contact OR new.contact GLOB 'hmac:*')
  OR NOT (new.reason = old.reason OR new.contact GLOB 'hmac:*'
    OR (length(new.reason) < length(old.reason) AND old.reason GLOB '*[0-9]*[0-9]*[0-9]*[0-9]*[0-9]*[0-9]*'))
  OR new.log_id <> old.log_id OR new.at_ms <> old.at_ms
  OR new.account_id <> old.account_id OR new.action <> old.action OR new.kind <> old.kind OR new.source <> old.source
  OR new.actor <> old.actor OR new.attempt_id IS NOT old.attempt_id
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER suppression_log_kept BEFORE DELETE ON suppression_log BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;

-- Where contacts may be: a few hundred of them for millions of rows.
CREATE TABLE places (
  place_id INTEGER PRIMARY KEY,
  zones    TEXT NOT NULL,                  -- JSON array of IANA names; empty: no hours hold for it (a client:, a SIP address)
  country  TEXT NOT NULL,                  -- ISO 3166-1; '': not known
  area     TEXT NOT NULL,                  -- ISO 3166-2; '': not known
  source   TEXT NOT NULL,                  -- as rules.places.PlaceSource; '': none
  UNIQUE (zones, country, area, source)
);

-- How many rows of each input are in which state; moved in the same transaction as the rows.
CREATE TABLE tallies (
  input_id INTEGER NOT NULL,
  state    TEXT NOT NULL,
  n        INTEGER NOT NULL,
  PRIMARY KEY (input_id, state)
) WITHOUT ROWID;

-- What became of an execution, as far as it was looked at (tracking, recall). An attempt that created one and has no row here
-- was never looked at. NULL: not known.
CREATE TABLE executions (
  attempt_id     INTEGER PRIMARY KEY REFERENCES attempts,
  status         TEXT NOT NULL CHECK (status = 'active' OR status = 'ended' OR status = 'gone'),
  seen_at_ms     INTEGER NOT NULL,
  ended_at_ms    INTEGER,                  -- by Studio's clock
  flow_version   INTEGER,                  -- the revision that it ran
  recalled_at_ms INTEGER,                  -- we ended it
  read_as        TEXT,                     -- by which settings its details were read; NULL: only its status is known
  last_step      TEXT,
  path           TEXT,                     -- JSON array of widgets; NULL: not known
  error_code     INTEGER,
  error_message  TEXT,
  variables      TEXT                      -- JSON object, name -> text
);

-- What is to be told of runs, one row for each channel: written with the run's end, open until it is delivered or given up.
CREATE TABLE notices (
  notice_id        TEXT PRIMARY KEY,       -- the same at every try, so that receivers can drop doubles
  campaign_id      INTEGER NOT NULL REFERENCES campaigns,
  run_id           INTEGER,
  kind             TEXT NOT NULL,          -- as model.NoticeKind
  body             TEXT NOT NULL,          -- JSON, as it is sent
  channel          TEXT NOT NULL,          -- its sort and a digest of where it leads: 'webhook:…', 'command:…'
  made_at_ms       INTEGER NOT NULL,
  sent_at_ms       INTEGER,                -- NULL: not delivered
  gave_up_at_ms    INTEGER,                -- the receiver wants none any more
  claimed_until_ms INTEGER NOT NULL DEFAULT 0, -- a process is at it, until then at the latest
  tries            INTEGER NOT NULL DEFAULT 0,
  error            TEXT                    -- what the last try came to
) WITHOUT ROWID;
CREATE INDEX notices_open ON notices (channel) WHERE sent_at_ms IS NULL AND gave_up_at_ms IS NULL;

-- A campaign's canary: the rows that are sent before all others, which wait until what became of these is judged.
CREATE TABLE canaries (
  campaign_id INTEGER PRIMARY KEY REFERENCES campaigns,
  wanted      INTEGER NOT NULL,            -- so many rows
  row_keys    TEXT NOT NULL DEFAULT '[]',  -- JSON array: which
  sent_at_ms  INTEGER,                     -- when all of them were; NULL: they are not yet
  looks       INTEGER NOT NULL DEFAULT 0,  -- how often too little was known of what became of them
  verdict     TEXT CHECK (verdict = 'passed' OR verdict = 'stopped')  -- NULL: the campaign's other rows wait for it
);
CREATE VIEW canary_rows AS
SELECT c.campaign_id, c.verdict, r.*
FROM canaries AS c CROSS JOIN json_each(c.row_keys) AS j
  CROSS JOIN row_keys AS k ON k.campaign_id = c.campaign_id AND k.row_key = j.value
  CROSS JOIN rows AS r ON r.row_id = k.row_id;

-- When a campaign has begun, once for each start on the contacts' own clocks that it was given: who had missed it by then.
CREATE TABLE beginnings (
  campaign_id INTEGER NOT NULL REFERENCES campaigns,
  start_ms    INTEGER NOT NULL,            -- the start, as clocks show it: milliseconds since 1970 as if they were at UTC
  begun_at_ms INTEGER NOT NULL,            -- the first run with that start which was let go on
  PRIMARY KEY (campaign_id, start_ms)
) WITHOUT ROWID;

-- The program that has made these tables, or brought an older ledger's up to date: what an older one is told to become.
CREATE TABLE program (
  version TEXT NOT NULL
);

-- Who or what was taken out of the ledger for good, when and by whom. Nothing of it is ever changed but its last column.
-- 'hmac:' and 32 hex digits stand for contacts and row keys that are forgotten, wherever these are; their key is in a file of
-- its own (key.py), and key_check is what it makes of an empty text.
CREATE TABLE erasures (
  erasure_id    INTEGER PRIMARY KEY,
  at_ms         INTEGER NOT NULL,
  action        TEXT NOT NULL CHECK (action = 'forgotten' OR action = 'pruned'),
  contact       TEXT,                      -- what stands for the person; NULL: a campaign was pruned
  campaign_id   INTEGER,                   -- which; NULL: a person, of all campaigns
  rows          INTEGER NOT NULL,
  actor         TEXT NOT NULL,             -- the user of the machine
  key_check     TEXT NOT NULL,
  cleaned_at_ms INTEGER                    -- when the file was written anew without what was freed; NULL: not yet
);
CREATE TRIGGER erasures_unchanged BEFORE UPDATE OF erasure_id, at_ms, action, contact, campaign_id, rows, actor, key_check ON erasures
BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
CREATE TRIGGER erasures_kept BEFORE DELETE ON erasures BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
