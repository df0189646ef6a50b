-- Workflows that publish without a stored secret, what may be said once only, and who is told of what happens.

CREATE TABLE trusted_publishers (
  id text COLLATE "C" PRIMARY KEY,
  namespace text COLLATE "C" NOT NULL,
  server text COLLATE "C",
  issuer text COLLATE "C" NOT NULL,
  claims text COLLATE "C" NOT NULL CHECK (claims IS JSON),
  account text COLLATE "C" NOT NULL,
  made_by text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL
);
CREATE INDEX trusted_publishers_issuer ON trusted_publishers (issuer, id);
CREATE INDEX trusted_publishers_namespace ON trusted_publishers (namespace, id);

CREATE TABLE used_once (
  kind text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (kind, value)
);
CREATE INDEX used_once_expires_at ON used_once (expires_at);

CREATE TABLE webhooks (
  id text COLLATE "C" PRIMARY KEY,
  url text COLLATE "C" NOT NULL,
  namespace text COLLATE "C",
  events text COLLATE "C" NOT NULL CHECK (events IS JSON),
  account text COLLATE "C" NOT NULL,
  last_record bigint NOT NULL,
  failures bigint NOT NULL,
  next_at bigint NOT NULL,
  disabled smallint NOT NULL CHECK (disabled IN (0, 1)),
  created_at bigint NOT NULL
);
CREATE INDEX webhooks_next_at ON webhooks (next_at) WHERE disabled = 0;
