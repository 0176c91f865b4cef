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
