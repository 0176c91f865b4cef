-- Named queries: "-- name: what" starts one, and the comment lines under it say what it is for.

-- name: file_version
-- Whose the file is, and how old. In one statement: between two, another process may have made it.
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id, pragma_user_version;

-- name: version
SELECT user_version FROM pragma_user_version;

-- name: log_emptied
-- What was changed stands in the log until then, as it was before, too.
PRAGMA wal_checkpoint(TRUNCATE);

-- People

-- name: user_add
INSERT INTO users (name, name_key, role, own_numbers, password, created_at_ms)
VALUES (:name, :name_key, :role, :own_numbers, :password, :created_at_ms)
ON CONFLICT (name_key) DO NOTHING
RETURNING user_id, name, role, own_numbers, created_at_ms;

-- name: users
SELECT user_id, name, role, own_numbers, created_at_ms FROM users ORDER BY name_key;

-- name: user_by_id
SELECT user_id, name, role, own_numbers, created_at_ms FROM users WHERE user_id = :user_id;

-- name: user_by_key
SELECT user_id, name, role, own_numbers, created_at_ms FROM users WHERE name_key = :name_key;

-- name: user_password
SELECT user_id, password FROM users WHERE name_key = :name_key;

-- name: user_change
UPDATE users SET role = :role, own_numbers = :own_numbers WHERE user_id = :user_id
RETURNING user_id, name, role, own_numbers, created_at_ms;

-- name: user_set_password
UPDATE users SET password = :password WHERE user_id = :user_id;

-- name: user_renew_password
-- The same password, hashed at today's cost: unless it was changed meanwhile.
UPDATE users SET password = :password WHERE user_id = :user_id AND password = :before;

-- name: user_remove
DELETE FROM users WHERE user_id = :user_id;

-- name: senders_besides
SELECT count(*) FROM users WHERE role = 'sender' AND user_id <> :user_id;

-- Sessions

-- name: session_begin
INSERT INTO sessions (session_hash, user_id, csrf_secret, begun_at_ms, seen_at_ms, password_at_ms)
VALUES (:session_hash, :user_id, :csrf_secret, :now_ms, :now_ms, :password_at_ms);

-- name: session
SELECT s.csrf_secret, s.begun_at_ms, s.seen_at_ms, s.password_at_ms, u.user_id, u.name, u.role, u.own_numbers, u.created_at_ms
FROM sessions AS s LEFT JOIN users AS u ON u.user_id = s.user_id
WHERE s.session_hash = :session_hash;

-- name: session_seen
UPDATE sessions SET seen_at_ms = max(seen_at_ms, :now_ms) WHERE session_hash = :session_hash;

-- name: session_renew
-- Another cookie for the same session: its password was typed once more.
UPDATE sessions SET session_hash = :new_hash, seen_at_ms = :now_ms, password_at_ms = :now_ms
WHERE session_hash = :session_hash;

-- name: session_end
DELETE FROM sessions WHERE session_hash = :session_hash;

-- name: sessions_end_all
DELETE FROM sessions WHERE user_id IS :user_id;

-- name: sessions_ended
DELETE FROM sessions WHERE seen_at_ms <= :idle_since_ms OR begun_at_ms <= :begun_before_ms;

-- Links

-- name: link_make
INSERT INTO links (link_hash, ends_at_ms) VALUES (:link_hash, :ends_at_ms);

-- name: link_spend
DELETE FROM links WHERE link_hash = :link_hash RETURNING ends_at_ms;

-- name: links_ended
DELETE FROM links WHERE ends_at_ms <= :now_ms;

-- Uploads

-- name: upload_begin
INSERT INTO uploads (upload_id, name, suffix, uploaded_by, uploaded_at_ms)
VALUES (:upload_id, :name, :suffix, :uploaded_by, :uploaded_at_ms);

-- name: upload_finish
UPDATE uploads SET size_bytes = :size_bytes, sha256 = :sha256 WHERE upload_id = :upload_id AND size_bytes IS NULL
RETURNING upload_id, name, size_bytes, sha256, uploaded_by, uploaded_at_ms, deleted_at_ms;

-- name: upload
SELECT upload_id, name, size_bytes, sha256, uploaded_by, uploaded_at_ms, deleted_at_ms FROM uploads
WHERE upload_id = :upload_id AND size_bytes IS NOT NULL;

-- name: upload_suffix
SELECT suffix FROM uploads WHERE upload_id = :upload_id AND deleted_at_ms IS NULL;

-- name: upload_drop
DELETE FROM uploads WHERE upload_id = :upload_id AND size_bytes IS NULL;

-- name: upload_deleted
UPDATE uploads SET deleted_at_ms = :now_ms WHERE upload_id = :upload_id AND deleted_at_ms IS NULL;

-- name: uploads_bytes
SELECT coalesce(sum(size_bytes), 0) FROM uploads WHERE deleted_at_ms IS NULL;

-- name: uploads_unfinished
SELECT upload_id FROM uploads WHERE size_bytes IS NULL AND uploaded_at_ms <= :begun_before_ms;

-- name: uploads_old
SELECT upload_id FROM uploads
WHERE size_bytes IS NOT NULL AND deleted_at_ms IS NULL AND uploaded_at_ms <= :uploaded_before_ms;

-- name: uploads_there
-- Whose folders belong there.
SELECT upload_id FROM uploads WHERE deleted_at_ms IS NULL;

-- Drafts

-- name: draft_create
INSERT INTO drafts (draft_id, version, name, profile, uploads, planned, settings, stage, look, "check", error, test, confirmed,
  revision, again, due_ms, zone, created_at_ms, created_by, launched_at_ms, launched_by)
VALUES (:draft_id, :version, :name, :profile, :uploads, :planned, :settings, :stage, :look, :check, :error, :test, :confirmed,
  :revision, :again, :due_ms, :zone, :created_at_ms, :created_by, :launched_at_ms, :launched_by);

-- name: draft
SELECT draft_id, version, name, profile, uploads, planned, settings, stage, look, "check", error, test, confirmed, revision,
  again, due_ms, zone, created_at_ms, created_by, launched_at_ms, launched_by
FROM drafts WHERE draft_id = :draft_id;

-- name: drafts
-- The newest first.
SELECT draft_id, version, name, profile, uploads, planned, settings, stage, look, "check", error, test, confirmed, revision,
  again, due_ms, zone, created_at_ms, created_by, launched_at_ms, launched_by
FROM drafts ORDER BY created_at_ms DESC, draft_id;

-- name: drafts_named
SELECT draft_id, version, name, profile, uploads, planned, settings, stage, look, "check", error, test, confirmed, revision,
  again, due_ms, zone, created_at_ms, created_by, launched_at_ms, launched_by
FROM drafts WHERE name = :name ORDER BY created_at_ms DESC, draft_id;

-- name: draft_change
-- Whoever decided on an older version changes nothing.
UPDATE drafts SET version = :version + 1, name = :name, profile = :profile, uploads = :uploads, planned = :planned,
  settings = :settings, stage = :stage, look = :look, "check" = :check, error = :error, test = :test, confirmed = :confirmed,
  revision = :revision, again = :again, due_ms = :due_ms, zone = :zone, launched_at_ms = :launched_at_ms,
  launched_by = :launched_by
WHERE draft_id = :draft_id AND version = :version;

-- name: draft_delete
DELETE FROM drafts WHERE draft_id = :draft_id AND version = :version;

-- name: draft_ids
SELECT draft_id FROM drafts;

-- The history

-- name: audit_write
INSERT INTO audit (at_ms, who, source, what, draft_id, campaign, detail)
VALUES (:at_ms, :who, :source, :what, :draft_id, :campaign, :detail)
RETURNING line_id;

-- name: audit_page
SELECT line_id, at_ms, who, source, what, draft_id, campaign, detail FROM audit
WHERE line_id < :before ORDER BY line_id DESC LIMIT :limit;

-- name: audit_page_of_campaign
SELECT line_id, at_ms, who, source, what, draft_id, campaign, detail FROM audit
WHERE campaign = :campaign AND line_id < :before ORDER BY line_id DESC LIMIT :limit;

-- name: audit_after
SELECT line_id, at_ms, who, source, what, draft_id, campaign, detail FROM audit
WHERE line_id > :after ORDER BY line_id LIMIT :limit;

-- name: audit_count
SELECT count(*) FROM audit WHERE at_ms >= :since_ms AND who = :who AND what = :what;

-- name: audit_campaigns
SELECT DISTINCT campaign FROM audit WHERE campaign <> '' ORDER BY campaign;

-- The server

-- name: server
SELECT alive_at_ms, host_id FROM server;

-- name: server_note
INSERT INTO server (one, alive_at_ms, host_id) VALUES (1, :alive_at_ms, :host_id)
ON CONFLICT (one) DO UPDATE SET alive_at_ms = excluded.alive_at_ms, host_id = excluded.host_id;
