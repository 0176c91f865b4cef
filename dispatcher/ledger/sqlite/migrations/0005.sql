-- A campaign's name is unique within its account, and its key's definition stays with it.
CREATE TABLE campaigns_5 (
  campaign_id   INTEGER PRIMARY KEY,
  name          TEXT NOT NULL,
  account_id    INTEGER NOT NULL REFERENCES accounts,
  flow_sid      TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  input_id      INTEGER,                   -- the latest file that was planned whole
  report_path   TEXT,
  key_columns   TEXT,                      -- JSON array: what makes a row the same row; []: its address; NULL: not known
  UNIQUE (account_id, name)
);
-- Where a row's key is its address, the campaign's is; columns that were named are not known any more.
INSERT INTO campaigns_5
SELECT campaign_id, name, account_id, flow_sid, created_at_ms, input_id, report_path,
  CASE WHEN EXISTS (
    SELECT 1 FROM row_keys AS k JOIN rows AS r USING (row_id)
    WHERE k.campaign_id = campaigns.campaign_id AND r.to_address IS NULL) THEN '[]' END
FROM campaigns;
DROP TABLE campaigns;
ALTER TABLE campaigns_5 RENAME TO campaigns;
-- What was planned by an older program takes no rows away: whether a file was whole, nobody has said.
ALTER TABLE inputs ADD COLUMN folder TEXT NOT NULL DEFAULT '';
ALTER TABLE inputs ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
-- The id that was sent, so that it need not be derived anew.
ALTER TABLE attempts ADD COLUMN dispatch_id TEXT;
-- One memory of whom an account has reached, filled once from what the rows know. An attempt that counts is its row's last.
CREATE TABLE contacted (
  account_id  INTEGER NOT NULL,
  contact     TEXT NOT NULL,
  campaign_id INTEGER NOT NULL,
  row_key     TEXT NOT NULL,               -- '': the contact itself
  attempt_id  INTEGER NOT NULL,
  begun_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, contact, campaign_id, row_key)
) WITHOUT ROWID;
INSERT INTO contacted (account_id, contact, campaign_id, row_key, attempt_id, begun_at_ms)
SELECT account_id, contact, campaign_id, CASE row_key WHEN contact THEN '' ELSE row_key END, attempt_id, begun_at_ms
FROM (
  SELECT account_id, campaign_id, row_key, attempt_id, begun_at_ms,
    CASE WHEN instr(address, ':') > 0 AND lower(substr(address, 1, instr(address, ':') - 1))
      IN ('client', 'messenger', 'mms', 'rcs', 'sip', 'sips', 'sms', 'tel', 'viber', 'whatsapp')
      THEN substr(address, instr(address, ':') + 1) ELSE address END AS contact
  FROM (
    SELECT c.account_id, c.campaign_id, r.row_key, a.attempt_id, a.begun_at_ms,
      coalesce(a.to_address, r.to_address, r.row_key) AS address
    FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt JOIN inputs AS i ON i.input_id = r.row_id >> 32
      JOIN campaigns AS c USING (campaign_id)
    WHERE r.row_key IS NOT NULL AND (a.outcome IS NULL OR a.outcome IN ('created', 'unknown'))))
ORDER BY 1, 2, 3, 4;
