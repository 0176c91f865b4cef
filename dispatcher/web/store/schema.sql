-- The page's store, version 1. Times are milliseconds since the epoch, UTC.

CREATE TABLE users (
  user_id       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: a session must not become another person's
  name          TEXT NOT NULL,
  name_key      TEXT NOT NULL UNIQUE,               -- the name without differences of case and width
  role          TEXT NOT NULL CHECK (role IN ('viewer', 'preparer', 'sender')),
  own_numbers   TEXT NOT NULL,                      -- JSON array
  password      TEXT NOT NULL,                      -- hashed, with its salt and cost (passwords.py)
  created_at_ms INTEGER NOT NULL
);

CREATE TABLE sessions (
  session_hash   BLOB PRIMARY KEY,                  -- SHA-256 of the cookie
  user_id        INTEGER REFERENCES users ON DELETE CASCADE,  -- NULL: the one person of a page on this machine alone
  csrf_secret    BLOB NOT NULL,
  begun_at_ms    INTEGER NOT NULL,
  seen_at_ms     INTEGER NOT NULL,
  password_at_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user_id);

-- Links that sign in once.
CREATE TABLE links (
  link_hash   BLOB PRIMARY KEY,                     -- SHA-256 of the token
  ends_at_ms  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE uploads (
  upload_id      TEXT PRIMARY KEY,
  name           TEXT NOT NULL,
  suffix         TEXT NOT NULL,                     -- of the file on disk
  size_bytes     INTEGER,                           -- NULL: it has not come whole (yet)
  sha256         TEXT,
  uploaded_by    TEXT NOT NULL,
  uploaded_at_ms INTEGER NOT NULL,
  deleted_at_ms  INTEGER
) WITHOUT ROWID;

CREATE TABLE drafts (
  draft_id       TEXT PRIMARY KEY,
  version        INTEGER NOT NULL DEFAULT 0,        -- raised by each change, which names the version it was decided on
  name           TEXT NOT NULL,
  profile        TEXT,
  uploads        TEXT NOT NULL,                     -- JSON array
  planned        INTEGER NOT NULL,
  settings       TEXT NOT NULL,                     -- JSON object
  stage          TEXT NOT NULL CHECK (stage IN ('columns', 'checking', 'failed', 'checked', 'launched')),
  look           TEXT,                              -- JSON objects, or NULL
  "check"        TEXT,
  error          TEXT,
  test           TEXT,
  confirmed      INTEGER,
  revision       INTEGER,
  again          INTEGER NOT NULL,
  due_ms         INTEGER,
  zone           TEXT,
  created_at_ms  INTEGER NOT NULL,
  created_by     TEXT NOT NULL,
  launched_at_ms INTEGER,
  launched_by    TEXT
) WITHOUT ROWID;
CREATE INDEX drafts_by_name ON drafts (name);

-- The history: lines are added, and never changed.
CREATE TABLE audit (
  line_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms     INTEGER NOT NULL,
  who       TEXT NOT NULL,
  source    TEXT NOT NULL,
  what      TEXT NOT NULL,
  draft_id  TEXT,                                   -- of a draft that may be gone
  campaign  TEXT NOT NULL,
  detail    TEXT NOT NULL                           -- JSON object
);
CREATE INDEX audit_of_campaign ON audit (campaign, line_id);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the history is not changed'); END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the history is not changed'); END;

-- What the last server has left: one row.
CREATE TABLE server (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  alive_at_ms INTEGER NOT NULL,
  host_id     TEXT NOT NULL
);
