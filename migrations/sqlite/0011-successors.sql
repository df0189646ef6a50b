-- A log that was frozen stays beside its successor. Everything derived speaks in positions: the index of an entry
-- within its log, plus the sizes of the logs before it.

ALTER TABLE log_state ADD COLUMN base INTEGER NOT NULL DEFAULT 0 CHECK (base >= 0);

CREATE TABLE frozen_logs (
  number INTEGER PRIMARY KEY,
  origin TEXT    NOT NULL UNIQUE,
  base   INTEGER NOT NULL CHECK (base >= 0),
  size   INTEGER NOT NULL CHECK (size > 0),
  root   BLOB    NOT NULL CHECK (length(root) = 32),
  note   TEXT    NOT NULL
) STRICT;

CREATE TABLE frozen_entries (
  log       INTEGER NOT NULL REFERENCES frozen_logs (number),
  idx       INTEGER NOT NULL,
  data      TEXT    NOT NULL,
  leaf_hash BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
  PRIMARY KEY (log, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX frozen_entries_leaf ON frozen_entries (leaf_hash);

CREATE TABLE frozen_tiles (
  log   INTEGER NOT NULL REFERENCES frozen_logs (number),
  level INTEGER NOT NULL,
  n     INTEGER NOT NULL,
  data  BLOB    NOT NULL,
  PRIMARY KEY (log, level, n)
) STRICT;

CREATE TABLE frozen_checkpoints (
  log  INTEGER NOT NULL REFERENCES frozen_logs (number),
  size INTEGER NOT NULL,
  root BLOB    NOT NULL,
  note TEXT    NOT NULL,
  PRIMARY KEY (log, size)
) STRICT;
