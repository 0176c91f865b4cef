ALTER TABLE rows ADD COLUMN place_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rows ADD COLUMN not_after_ms INTEGER NOT NULL DEFAULT 0;
-- Rows with a place, by place: those of closed ones cost nothing while they wait.
CREATE INDEX rows_placed ON rows (row_id >> 32, place_id, not_before_ms) WHERE state = 'planned' AND place_id <> 0;
CREATE INDEX rows_expiring ON rows (row_id >> 32, not_after_ms) WHERE state = 'planned' AND not_after_ms > 0;

-- Where contacts may be: a few hundred of them for millions of rows.
CREATE TABLE places (
  place_id INTEGER PRIMARY KEY,
  zones    TEXT NOT NULL,                  -- JSON array of IANA names; empty: no hours hold for it (a client:, a SIP address)
  country  TEXT NOT NULL,                  -- ISO 3166-1; '': not known
  area     TEXT NOT NULL,                  -- ISO 3166-2; '': not known
  source   TEXT NOT NULL,                  -- as rules.places.PlaceSource; '': none
  UNIQUE (zones, country, area, source)
);
