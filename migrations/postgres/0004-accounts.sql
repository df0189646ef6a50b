-- Accounts, OAuth clients, and the rows of the authorization server. Secrets are here only as hashes.

CREATE TABLE accounts (
  account text COLLATE "C" PRIMARY KEY,
  roles text COLLATE "C" NOT NULL,
  disabled smallint NOT NULL CHECK (disabled IN (0, 1)),
  password_hash text COLLATE "C"
);

CREATE TABLE oauth_clients (
  client_id text COLLATE "C" PRIMARY KEY,
  account text COLLATE "C" NOT NULL REFERENCES accounts (account),
  name text COLLATE "C" NOT NULL,
  secret_hash text COLLATE "C" NOT NULL,
  scopes text COLLATE "C" NOT NULL,
  disabled smallint NOT NULL CHECK (disabled IN (0, 1))
);

CREATE TABLE oauth (
  model text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  payload text COLLATE "C" NOT NULL CHECK (payload IS JSON),
  uid text COLLATE "C",
  user_code text COLLATE "C",
  grant_id text COLLATE "C",
  expires_at bigint,
  PRIMARY KEY (model, id)
);
CREATE INDEX oauth_uid ON oauth (model, uid) WHERE uid IS NOT NULL;
CREATE INDEX oauth_user_code ON oauth (model, user_code) WHERE user_code IS NOT NULL;
CREATE INDEX oauth_grant_id ON oauth (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_expires_at ON oauth (expires_at) WHERE expires_at IS NOT NULL;
