-- What is wanted of a campaign: changed by any process at any time, by compare-and-set of the version.
ALTER TABLE campaigns ADD COLUMN wish TEXT NOT NULL DEFAULT 'send' CHECK (wish = 'send' OR wish = 'pause');
ALTER TABLE campaigns ADD COLUMN wished_by TEXT NOT NULL DEFAULT 'user';
ALTER TABLE campaigns ADD COLUMN wish_reason TEXT;
ALTER TABLE campaigns ADD COLUMN wished_at_ms INTEGER;
ALTER TABLE campaigns ADD COLUMN due_ms INTEGER;
ALTER TABLE campaigns ADD COLUMN next_at_ms INTEGER;
ALTER TABLE campaigns ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
