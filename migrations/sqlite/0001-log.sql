-- The log: one state row, contiguous entries, tiles that grow in place, and every note ever signed.

CREATE TABLE log_state (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  origin         TEXT    NOT NULL,
  identity       TEXT    NOT NULL,
  size           INTEGER NOT NULL CHECK (size >= 0),
  root           BLOB    NOT NULL CHECK (length(root) = 32),
  note           TEXT    NOT NULL,
  published_size INTEGER NOT NULL CHECK (published_size >= 0),
  published_note TEXT    NOT NULL,
  CHECK (published_size <= size)
) STRICT;

CREATE TABLE entries (
  idx       INTEGER PRIMARY KEY,
  data      TEXT    NOT NULL,
  leaf_hash BLOB    NOT NULL UNIQUE CHECK (length(leaf_hash) = 32)
) STRICT;

CREATE TABLE tiles (
  level INTEGER NOT NULL,
  n     INTEGER NOT NULL,
  data  BLOB    NOT NULL CHECK (length(data) BETWEEN 32 AND 8192 AND length(data) % 32 = 0),
  PRIMARY KEY (level, n)
) STRICT;

CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY,
  root BLOB NOT NULL,
  note TEXT NOT NULL
) STRICT;

CREATE TABLE root_notes (
  version INTEGER PRIMARY KEY,
  note    TEXT NOT NULL
) STRICT;

-- Latest event about a target, for `after`.
CREATE TABLE latest_about (
  target TEXT PRIMARY KEY,
  idx    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A line stands at index i when added < i and (removed is null or removed >= i): every list that a snapshot named
-- can be given again without keeping a copy of each. Lines hold NUL, so they are kept as bytes.
CREATE TABLE revocations (
  line    BLOB    NOT NULL,
  added   INTEGER NOT NULL,
  removed INTEGER,
  PRIMARY KEY (line, added)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX revocations_standing ON revocations (line) WHERE removed IS NULL;

CREATE TABLE revocation_lists (
  root  TEXT PRIMARY KEY,
  as_of INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
