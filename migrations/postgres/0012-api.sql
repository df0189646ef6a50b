-- What a POST answered under which key, facts that all processes share, and what catalogues show and search.

CREATE TABLE idempotency (
  key text COLLATE "C" PRIMARY KEY,
  fingerprint text COLLATE "C" NOT NULL,
  -- Who runs it now, until lease_until; NULL once it is answered.
  runner text COLLATE "C",
  lease_until bigint NOT NULL,
  answer text COLLATE "C",
  expires_at bigint NOT NULL,
  CHECK ((runner IS NULL) = (answer IS NOT NULL))
);
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

-- First writer wins: what every process of one registry has to have in common.
CREATE TABLE facts (
  name text COLLATE "C" PRIMARY KEY,
  value text COLLATE "C" NOT NULL
);

-- POSIX seconds: issue time of the newest token of an external issuer that said what roles the account has.
ALTER TABLE accounts ADD COLUMN roles_at bigint;

-- Milliseconds; moves whenever the row's status or its place in the log does.
ALTER TABLE manifests ADD COLUMN updated_at bigint NOT NULL DEFAULT 0;
ALTER TABLE manifests ADD COLUMN title text COLLATE "C";
ALTER TABLE manifests ADD COLUMN description text COLLATE "C";
CREATE INDEX manifests_updated_at ON manifests (updated_at, manifest) WHERE approve_index IS NOT NULL;

-- Counts of all processes together. Lost with a crash of the server, as counts of one process are with its own.
CREATE UNLOGGED TABLE rate_limits (
  key text COLLATE "C" PRIMARY KEY,
  points bigint NOT NULL,
  -- Milliseconds.
  expire bigint
);
CREATE INDEX rate_limits_expire ON rate_limits (expire);
