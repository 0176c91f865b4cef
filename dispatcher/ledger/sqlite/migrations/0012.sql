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
