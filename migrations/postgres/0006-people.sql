-- People beside service accounts, one-time codes, and clients that log in by a key or for whoever uses them.

ALTER TABLE accounts ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'service' CHECK (kind IN ('person', 'service'));
ALTER TABLE accounts ADD COLUMN login text COLLATE "C";
ALTER TABLE accounts ADD COLUMN password_once smallint NOT NULL DEFAULT 0 CHECK (password_once IN (0, 1));
ALTER TABLE accounts ADD COLUMN owner text COLLATE "C";
ALTER TABLE accounts ADD COLUMN tokens_before bigint;
ALTER TABLE accounts ADD COLUMN issuer text COLLATE "C";
ALTER TABLE accounts ADD COLUMN sub text COLLATE "C";
ALTER TABLE accounts ADD COLUMN created_at bigint NOT NULL DEFAULT 0;

CREATE UNIQUE INDEX accounts_login ON accounts (login) WHERE login IS NOT NULL;
CREATE UNIQUE INDEX accounts_subject ON accounts (issuer, sub) WHERE issuer IS NOT NULL;

CREATE TABLE codes (
  hash text COLLATE "C" PRIMARY KEY,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('invitation', 'recovery')),
  account text COLLATE "C" REFERENCES accounts (account),
  roles text COLLATE "C",
  made_by text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL,
  CHECK ((kind = 'recovery') = (account IS NOT NULL)),
  CHECK ((kind = 'invitation') = (roles IS NOT NULL))
);
CREATE INDEX codes_account ON codes (account) WHERE account IS NOT NULL;
CREATE INDEX codes_expires_at ON codes (expires_at);

ALTER TABLE oauth_clients ALTER COLUMN account DROP NOT NULL;
ALTER TABLE oauth_clients ALTER COLUMN secret_hash DROP NOT NULL;
ALTER TABLE oauth_clients ADD COLUMN auth_method text COLLATE "C" NOT NULL DEFAULT 'client_secret_basic'
  CHECK (auth_method IN ('client_secret_basic', 'private_key_jwt', 'none'));
ALTER TABLE oauth_clients ADD COLUMN jwks text COLLATE "C";
ALTER TABLE oauth_clients ADD COLUMN redirect_uris text COLLATE "C" NOT NULL DEFAULT '[]';
ALTER TABLE oauth_clients ADD COLUMN grant_types text COLLATE "C" NOT NULL DEFAULT '["client_credentials"]';
ALTER TABLE oauth_clients ADD COLUMN created_at bigint NOT NULL DEFAULT 0;
ALTER TABLE oauth_clients ADD CHECK ((auth_method = 'client_secret_basic') = (secret_hash IS NOT NULL));
ALTER TABLE oauth_clients ADD CHECK ((auth_method = 'private_key_jwt') = (jwks IS NOT NULL));
CREATE INDEX oauth_clients_account ON oauth_clients (account, client_id) WHERE account IS NOT NULL;

ALTER TABLE oauth ADD COLUMN account_id text COLLATE "C";
CREATE INDEX oauth_account_id ON oauth (account_id) WHERE account_id IS NOT NULL;
