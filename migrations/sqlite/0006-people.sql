-- People beside service accounts, one-time codes, and clients that log in by a key or for whoever uses them.

ALTER TABLE accounts ADD COLUMN kind TEXT NOT NULL DEFAULT 'service' CHECK (kind IN ('person', 'service'));
ALTER TABLE accounts ADD COLUMN login TEXT;
ALTER TABLE accounts ADD COLUMN password_once INTEGER NOT NULL DEFAULT 0 CHECK (password_once IN (0, 1));
ALTER TABLE accounts ADD COLUMN owner TEXT;
ALTER TABLE accounts ADD COLUMN tokens_before INTEGER;
ALTER TABLE accounts ADD COLUMN issuer TEXT;
ALTER TABLE accounts ADD COLUMN sub TEXT;
ALTER TABLE accounts ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;

-- The one person there was until now; the one password there can be is the one-time password of the first start.
UPDATE accounts SET kind = 'person', login = 'admin' WHERE account = 'admin';
UPDATE accounts SET password_once = 1 WHERE password_hash IS NOT NULL;

CREATE UNIQUE INDEX accounts_login ON accounts (login) WHERE login IS NOT NULL;
CREATE UNIQUE INDEX accounts_subject ON accounts (issuer, sub) WHERE issuer IS NOT NULL;

CREATE TABLE codes (
  hash       TEXT    PRIMARY KEY,
  kind       TEXT    NOT NULL CHECK (kind IN ('invitation', 'recovery')),
  account    TEXT    REFERENCES accounts (account),
  roles      TEXT,
  made_by    TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  CHECK ((kind = 'recovery') = (account IS NOT NULL)),
  CHECK ((kind = 'invitation') = (roles IS NOT NULL))
) STRICT;
CREATE INDEX codes_account ON codes (account) WHERE account IS NOT NULL;
CREATE INDEX codes_expires_at ON codes (expires_at);

-- SQLite cannot drop NOT NULL from a column, so the table is made again. Nothing refers to it.
CREATE TABLE clients (
  client_id     TEXT    PRIMARY KEY,
  account       TEXT    REFERENCES accounts (account),
  name          TEXT    NOT NULL,
  auth_method   TEXT    NOT NULL CHECK (auth_method IN ('client_secret_basic', 'private_key_jwt', 'none')),
  secret_hash   TEXT,
  jwks          TEXT,
  redirect_uris TEXT    NOT NULL,
  grant_types   TEXT    NOT NULL,
  scopes        TEXT    NOT NULL,
  disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  created_at    INTEGER NOT NULL,
  CHECK ((auth_method = 'client_secret_basic') = (secret_hash IS NOT NULL)),
  CHECK ((auth_method = 'private_key_jwt') = (jwks IS NOT NULL))
) STRICT;
INSERT INTO clients
  SELECT client_id, account, name, 'client_secret_basic', secret_hash, NULL, '[]', '["client_credentials"]',
         scopes, disabled, 0
  FROM oauth_clients;
DROP TABLE oauth_clients;
ALTER TABLE clients RENAME TO oauth_clients;
CREATE INDEX oauth_clients_account ON oauth_clients (account, client_id) WHERE account IS NOT NULL;

ALTER TABLE oauth ADD COLUMN account_id TEXT;
CREATE INDEX oauth_account_id ON oauth (account_id) WHERE account_id IS NOT NULL;
