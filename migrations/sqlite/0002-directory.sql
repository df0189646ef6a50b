-- Who owns which namespace, and which key was valid when.

CREATE TABLE namespaces (
  namespace TEXT PRIMARY KEY,
  account   TEXT NOT NULL,
  proof     TEXT NOT NULL CHECK (proof IN ('dns', 'http', 'oidc', 'admin')),
  idx       INTEGER NOT NULL
) STRICT;
CREATE INDEX namespaces_account ON namespaces (account);

CREATE TABLE namespace_grants (
  namespace  TEXT PRIMARY KEY,
  account    TEXT NOT NULL,
  granted_by TEXT NOT NULL
) STRICT;
CREATE INDEX namespace_grants_account ON namespace_grants (account);

CREATE TABLE keys (
  namespace    TEXT NOT NULL,
  kid          TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('own', 'sign')),
  x            TEXT NOT NULL,
  added        INTEGER NOT NULL,
  revoked      INTEGER,
  invalid_from INTEGER,
  reason       TEXT CHECK (reason IN ('superseded', 'cessation', 'compromise')),
  PRIMARY KEY (namespace, kid, role)
) STRICT, WITHOUT ROWID;
