-- Manifests and what is found by them. Envelopes are large and stand apart, so that lists do not drag them along.

CREATE TABLE manifests (
  manifest        TEXT PRIMARY KEY,
  envelope_digest TEXT NOT NULL,
  server          TEXT NOT NULL,
  folded          TEXT NOT NULL,
  namespace       TEXT NOT NULL,
  version         TEXT NOT NULL,
  role            TEXT NOT NULL CHECK (role IN ('publisher', 'voucher')),
  kid             TEXT NOT NULL,
  account         TEXT NOT NULL,
  status          TEXT NOT NULL
                  CHECK (status IN ('pending', 'approved', 'rejected', 'withdrawn', 'deprecated', 'revoked')),
  publish_index   INTEGER NOT NULL,
  approve_index   INTEGER,
  findings        TEXT NOT NULL,
  submitted_at    INTEGER NOT NULL,
  tools           TEXT NOT NULL,
  lookups         TEXT NOT NULL,
  UNIQUE (server, version)
) STRICT;
CREATE INDEX manifests_status ON manifests (status, publish_index);
CREATE INDEX manifests_folded ON manifests (folded);

CREATE TABLE envelopes (
  manifest TEXT PRIMARY KEY REFERENCES manifests (manifest),
  envelope TEXT NOT NULL
) STRICT;

CREATE TABLE manifest_tools (
  digest   TEXT NOT NULL,
  manifest TEXT NOT NULL REFERENCES manifests (manifest),
  PRIMARY KEY (digest, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_tools_manifest ON manifest_tools (manifest);

CREATE TABLE manifest_lookups (
  key      TEXT NOT NULL,
  manifest TEXT NOT NULL REFERENCES manifests (manifest),
  PRIMARY KEY (key, manifest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_lookups_manifest ON manifest_lookups (manifest);

CREATE TABLE bundles (
  manifest TEXT PRIMARY KEY REFERENCES manifests (manifest),
  bundle   TEXT NOT NULL
) STRICT;

CREATE TABLE policies (
  digest TEXT PRIMARY KEY,
  text   TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  account TEXT NOT NULL,
  action  TEXT NOT NULL,
  target  TEXT NOT NULL,
  detail  TEXT NOT NULL,
  idx     INTEGER
) STRICT;
