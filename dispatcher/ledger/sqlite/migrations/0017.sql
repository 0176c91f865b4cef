-- What a server needs of a campaign that it sends, and what an account's next holder of its limit.
ALTER TABLE accounts ADD COLUMN per_second REAL;
ALTER TABLE accounts ADD COLUMN hold_until_ms INTEGER;
ALTER TABLE accounts ADD COLUMN ceiling_per_s REAL;
ALTER TABLE campaigns ADD COLUMN settings TEXT;
ALTER TABLE runs ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN waits TEXT;
ALTER TABLE runs ADD COLUMN waits_until_ms INTEGER;
ALTER TABLE runs ADD COLUMN rate_per_s REAL;
