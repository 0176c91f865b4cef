-- When a campaign has begun, once for each start on the contacts' own clocks that it was given: who had missed it by then.
CREATE TABLE beginnings (
  campaign_id INTEGER NOT NULL REFERENCES campaigns,
  start_ms    INTEGER NOT NULL,            -- the start, as clocks show it: milliseconds since 1970 as if they were at UTC
  begun_at_ms INTEGER NOT NULL,            -- the first run with that start which was let go on
  PRIMARY KEY (campaign_id, start_ms)
) WITHOUT ROWID;
