-- What a POST answered under which key, facts that all processes share, and what catalogues show and search.

CREATE TABLE idempotency (
  key         TEXT    PRIMARY KEY,
  fingerprint TEXT    NOT NULL,
  -- Who runs it now, until lease_until; NULL once it is answered.
  runner      TEXT,
  lease_until INTEGER NOT NULL,
  answer      TEXT,
  expires_at  INTEGER NOT NULL,
  CHECK ((runner IS NULL) = (answer IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

-- First writer wins: what every process of one registry has to have in common.
CREATE TABLE facts (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- POSIX seconds: issue time of the newest token of an external issuer that said what roles the account has.
ALTER TABLE accounts ADD COLUMN roles_at INTEGER;

-- Milliseconds; moves whenever the row's status or its place in the log does.
ALTER TABLE manifests ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE manifests ADD COLUMN title TEXT;
ALTER TABLE manifests ADD COLUMN description TEXT;
UPDATE manifests SET updated_at = submitted_at;
CREATE INDEX manifests_updated_at ON manifests (updated_at, manifest) WHERE approve_index IS NOT NULL;
