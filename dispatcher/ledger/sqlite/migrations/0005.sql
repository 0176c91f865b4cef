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
-- What was planned by an older program takes no rows out: whether a file was whole, nobody has said.
ALTER TABLE inputs ADD COLUMN folder TEXT NOT NULL DEFAULT '';
ALTER TABLE inputs ADD COLUMN key_columns TEXT;
ALTER TABLE inputs ADD COLUMN removes INTEGER NOT NULL DEFAULT 0;
-- The id that was sent, so that it need not be derived anew.
ALTER TABLE attempts ADD COLUMN dispatch_id TEXT;
-- One memory of whom an account has reached, filled once from the rows that there are: where they went, and where they would go.
-- The rows by whom they reach: a contact is an address without its channel (`whatsapp:`). Filled in the order of contacts when
-- a file is planned: a write for each intent would touch a page of its own.
CREATE TABLE contacts (
  account_id  INTEGER NOT NULL,
  contact     TEXT NOT NULL,
  campaign_id INTEGER NOT NULL,
  row_key     TEXT NOT NULL,               -- '': the contact itself
  PRIMARY KEY (account_id, contact, campaign_id, row_key)
) WITHOUT ROWID;
INSERT OR IGNORE INTO contacts (account_id, contact, campaign_id, row_key)
SELECT account_id, contact, campaign_id, CASE row_key WHEN contact THEN '' ELSE row_key END FROM (
  SELECT account_id, campaign_id, row_key, CASE WHEN instr(address, ':') = 0 THEN address
    WHEN lower(substr(address, 1, instr(address, ':') - 1)) IN (
      'client', 'messenger', 'mms', 'rcs', 'sip', 'sips', 'sms', 'tel', 'viber', 'whatsapp') THEN substr(address, instr(address, ':') + 1)
    ELSE address END AS contact
  FROM (
    SELECT c.account_id, c.campaign_id, r.row_key, coalesce(a.to_address, r.to_address, r.row_key) AS address
    FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
      LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt
    WHERE r.row_key IS NOT NULL
    UNION ALL
    SELECT c.account_id, c.campaign_id, r.row_key, r.to_address
    FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
    WHERE r.row_key IS NOT NULL AND r.to_address IS NOT NULL))
ORDER BY 1, 2, 3, 4;
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
