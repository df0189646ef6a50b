-- Accounts, OAuth clients, and the rows of the authorization server. Secrets are here only as hashes.

CREATE TABLE accounts (
  account       TEXT PRIMARY KEY,
  roles         TEXT NOT NULL,
  disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  password_hash TEXT
) STRICT;

CREATE TABLE oauth_clients (
  client_id   TEXT PRIMARY KEY,
  account     TEXT NOT NULL REFERENCES accounts (account),
  name        TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  scopes      TEXT NOT NULL,
  disabled    INTEGER NOT NULL CHECK (disabled IN (0, 1))
) STRICT;

CREATE TABLE oauth (
  model      TEXT NOT NULL,
  id         TEXT NOT NULL,
  payload    TEXT NOT NULL CHECK (json_valid(payload)),
  uid        TEXT,
  user_code  TEXT,
  grant_id   TEXT,
  expires_at INTEGER,
  PRIMARY KEY (model, id)
) STRICT;
CREATE INDEX oauth_uid ON oauth (model, uid) WHERE uid IS NOT NULL;
CREATE INDEX oauth_user_code ON oauth (model, user_code) WHERE user_code IS NOT NULL;
CREATE INDEX oauth_grant_id ON oauth (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_expires_at ON oauth (expires_at) WHERE expires_at IS NOT NULL;
