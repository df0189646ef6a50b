-- The log: one state row, contiguous entries, tiles that grow in place, and every note ever signed.
-- Text is ordered and compared bytewise in every table (COLLATE "C"), whatever the locale of the database.

CREATE TABLE log_state (
  id bigint PRIMARY KEY CHECK (id = 1),
  origin text COLLATE "C" NOT NULL,
  identity text COLLATE "C" NOT NULL,
  size bigint NOT NULL CHECK (size >= 0),
  root bytea NOT NULL CHECK (length(root) = 32),
  note text COLLATE "C" NOT NULL,
  published_size bigint NOT NULL CHECK (published_size >= 0),
  published_note text COLLATE "C" NOT NULL,
  CHECK (published_size <= size)
);

CREATE TABLE entries (
  idx bigint PRIMARY KEY,
  data text COLLATE "C" NOT NULL,
  leaf_hash bytea NOT NULL UNIQUE CHECK (length(leaf_hash) = 32)
);

CREATE TABLE tiles (
  level bigint NOT NULL,
  n bigint NOT NULL,
  data bytea NOT NULL CHECK (length(data) BETWEEN 32 AND 8192 AND length(data) % 32 = 0),
  PRIMARY KEY (level, n)
);

-- Hashes do not compress.
ALTER TABLE tiles ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE checkpoints (
  size bigint PRIMARY KEY,
  root bytea NOT NULL,
  note text COLLATE "C" NOT NULL
);

CREATE TABLE root_notes (
  version bigint PRIMARY KEY,
  note text COLLATE "C" NOT NULL
);

-- Latest event about a target, for `after`.
CREATE TABLE latest_about (
  target text COLLATE "C" PRIMARY KEY,
  idx bigint NOT NULL
);

-- A line stands at index i when added < i and (removed is null or removed >= i): every list that a snapshot named
-- can be given again without keeping a copy of each. Lines hold NUL, so they are kept as bytes.
CREATE TABLE revocations (
  line bytea NOT NULL,
  added bigint NOT NULL,
  removed bigint,
  PRIMARY KEY (line, added)
);
CREATE UNIQUE INDEX revocations_standing ON revocations (line) WHERE removed IS NULL;

CREATE TABLE revocation_lists (
  root text COLLATE "C" PRIMARY KEY,
  as_of bigint NOT NULL
);
