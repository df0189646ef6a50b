-- What stands behind a namespace outside the log, and who endorsed which key.

CREATE TABLE namespace_proofs (
  namespace text COLLATE "C" PRIMARY KEY,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('dns', 'http', 'oidc')),
  subject text COLLATE "C" NOT NULL,
  kid text COLLATE "C" NOT NULL,
  checked_at bigint NOT NULL,
  failing_since bigint,
  suspended smallint NOT NULL CHECK (suspended IN (0, 1))
);
CREATE INDEX namespace_proofs_checked_at ON namespace_proofs (checked_at) WHERE kind IN ('dns', 'http');

CREATE TABLE namespace_challenges (
  challenge text COLLATE "C" PRIMARY KEY,
  namespace text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('dns', 'http', 'oidc')),
  expires_at bigint NOT NULL
);
CREATE INDEX namespace_challenges_expires_at ON namespace_challenges (expires_at);

ALTER TABLE keys ADD COLUMN endorser text COLLATE "C";
ALTER TABLE keys ADD COLUMN usable_at bigint;
