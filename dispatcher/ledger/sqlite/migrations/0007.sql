-- Why an attempt that was unknown counts as not sent. Of those before, that the list did not show them was the reason.
ALTER TABLE attempts ADD COLUMN absence TEXT CHECK (absence = 'proved' OR absence = 'assumed' OR absence = 'risked');
CREATE INDEX attempts_absent ON attempts (row_id) WHERE absence IS NOT NULL;
UPDATE attempts SET absence = 'assumed' WHERE outcome = 'not_sent' AND error_message = 'not found by reconcile: sent again';
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
