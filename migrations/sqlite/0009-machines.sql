-- Workflows that publish without a stored secret, what may be said once only, and who is told of what happens.

CREATE TABLE trusted_publishers (
  id         TEXT    PRIMARY KEY,
  namespace  TEXT    NOT NULL,
  server     TEXT,
  issuer     TEXT    NOT NULL,
  claims     TEXT    NOT NULL CHECK (json_valid(claims)),
  account    TEXT    NOT NULL,
  made_by    TEXT    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX trusted_publishers_issuer ON trusted_publishers (issuer, id);
CREATE INDEX trusted_publishers_namespace ON trusted_publishers (namespace, id);

CREATE TABLE used_once (
  kind       TEXT    NOT NULL,
  value      TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_expires_at ON used_once (expires_at);

CREATE TABLE webhooks (
  id          TEXT    PRIMARY KEY,
  url         TEXT    NOT NULL,
  namespace   TEXT,
  events      TEXT    NOT NULL CHECK (json_valid(events)),
  account     TEXT    NOT NULL,
  last_record INTEGER NOT NULL,
  failures    INTEGER NOT NULL,
  next_at     INTEGER NOT NULL,
  disabled    INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_next_at ON webhooks (next_at) WHERE disabled = 0;
