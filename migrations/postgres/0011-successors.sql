-- A log that was frozen stays beside its successor. Everything derived speaks in positions: the index of an entry
-- within its log, plus the sizes of the logs before it.

ALTER TABLE log_state ADD COLUMN base bigint NOT NULL DEFAULT 0 CHECK (base >= 0);

CREATE TABLE frozen_logs (
  number bigint PRIMARY KEY,
  origin text COLLATE "C" NOT NULL UNIQUE,
  base bigint NOT NULL CHECK (base >= 0),
  size bigint NOT NULL CHECK (size > 0),
  root bytea NOT NULL CHECK (length(root) = 32),
  note text COLLATE "C" NOT NULL
);

CREATE TABLE frozen_entries (
  log bigint NOT NULL REFERENCES frozen_logs (number),
  idx bigint NOT NULL,
  data text COLLATE "C" NOT NULL,
  leaf_hash bytea NOT NULL CHECK (length(leaf_hash) = 32),
  PRIMARY KEY (log, idx)
);
CREATE INDEX frozen_entries_leaf ON frozen_entries (leaf_hash);

CREATE TABLE frozen_tiles (
  log bigint NOT NULL REFERENCES frozen_logs (number),
  level bigint NOT NULL,
  n bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (log, level, n)
);

ALTER TABLE frozen_tiles ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE frozen_checkpoints (
  log bigint NOT NULL REFERENCES frozen_logs (number),
  size bigint NOT NULL,
  root bytea NOT NULL,
  note text COLLATE "C" NOT NULL,
  PRIMARY KEY (log, size)
);
