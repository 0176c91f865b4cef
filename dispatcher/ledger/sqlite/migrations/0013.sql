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
