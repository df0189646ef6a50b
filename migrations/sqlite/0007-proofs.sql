-- What stands behind a namespace outside the log, and who endorsed which key.

CREATE TABLE namespace_proofs (
  namespace     TEXT    PRIMARY KEY,
  kind          TEXT    NOT NULL CHECK (kind IN ('dns', 'http', 'oidc')),
  subject       TEXT    NOT NULL,
  kid           TEXT    NOT NULL,
  checked_at    INTEGER NOT NULL,
  failing_since INTEGER,
  suspended     INTEGER NOT NULL CHECK (suspended IN (0, 1))
) STRICT;
CREATE INDEX namespace_proofs_checked_at ON namespace_proofs (checked_at) WHERE kind IN ('dns', 'http');

CREATE TABLE namespace_challenges (
  challenge  TEXT    PRIMARY KEY,
  namespace  TEXT    NOT NULL,
  account    TEXT    NOT NULL,
  kind       TEXT    NOT NULL CHECK (kind IN ('dns', 'http', 'oidc')),
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX namespace_challenges_expires_at ON namespace_challenges (expires_at);

ALTER TABLE keys ADD COLUMN endorser TEXT;
ALTER TABLE keys ADD COLUMN usable_at INTEGER;

-- Every enrolment until now was signed by an own key, and the audit record of its index names it.
UPDATE keys SET endorser = (
  SELECT json_extract(audit.detail, '$.signer') FROM audit
  WHERE audit.idx = keys.added AND audit.action IN ('namespace', 'key.add')
);
