-- Test sends are attempts whose run has no campaign; the newest attempts are found by account.
CREATE TABLE runs_4 (
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
  clock_skew_ms INTEGER                    -- Studio's clock less ours, as the run measured it; NULL: not known
);
INSERT INTO runs_4 SELECT * FROM runs;
DROP TABLE runs;
ALTER TABLE runs_4 RENAME TO runs;
CREATE INDEX runs_of_campaign ON runs (campaign_id);
CREATE INDEX runs_of_account ON runs (account_id);
CREATE INDEX runs_open ON runs (account_id) WHERE stopped_at_ms IS NULL;
ALTER TABLE attempts RENAME COLUMN left_at_ms TO sent_at_ms;
CREATE INDEX attempts_of_run ON attempts (run_id);
