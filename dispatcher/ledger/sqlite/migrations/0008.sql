-- What an attempt sent, where the row's newest file says something else. No row here: as the file says.
CREATE TABLE sent (
  attempt_id  INTEGER PRIMARY KEY REFERENCES attempts,
  campaign_id INTEGER NOT NULL,
  parameters  TEXT NOT NULL                -- JSON object, parameter -> what was sent, of those that differ; null: was not sent.
);                                         -- {}: only the address differs
CREATE INDEX sent_of_campaign ON sent (campaign_id);
