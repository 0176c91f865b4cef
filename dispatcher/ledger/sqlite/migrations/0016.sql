-- What was taken out for good (campaigns forget, campaigns prune), and which program reads the ledger.
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

DROP TRIGGER suppression_log_unchanged;
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
