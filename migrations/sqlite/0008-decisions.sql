-- Votes, approvers' signatures, versions of the admission policy, and what a manifest changed.

ALTER TABLE manifests ADD COLUMN change_class TEXT;
ALTER TABLE manifests ADD COLUMN change_base TEXT;
CREATE INDEX manifests_newest_approved ON manifests (server, approve_index) WHERE status = 'approved';

CREATE TABLE votes (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  subject  TEXT    NOT NULL,
  account  TEXT    NOT NULL,
  known    INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  override TEXT,
  comment  TEXT,
  reason   TEXT,
  UNIQUE (subject, account)
) STRICT;

CREATE TABLE decision_signatures (
  subject TEXT    NOT NULL,
  known   INTEGER NOT NULL,
  kid     TEXT    NOT NULL,
  sig     TEXT    NOT NULL,
  PRIMARY KEY (subject, known, kid)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_versions (
  version INTEGER PRIMARY KEY CHECK (version > 0),
  digest  TEXT    NOT NULL REFERENCES policies (digest),
  set_by  TEXT    NOT NULL,
  at      INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_target ON audit (target, id);
