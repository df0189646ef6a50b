-- Who owns which namespace, and which key was valid when.

CREATE TABLE namespaces (
  namespace text COLLATE "C" PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  proof text COLLATE "C" NOT NULL CHECK (proof IN ('dns', 'http', 'oidc', 'admin')),
  idx bigint NOT NULL
);
CREATE INDEX namespaces_account ON namespaces (account);

CREATE TABLE namespace_grants (
  namespace text COLLATE "C" PRIMARY KEY,
  account text COLLATE "C" NOT NULL,
  granted_by text COLLATE "C" NOT NULL
);
CREATE INDEX namespace_grants_account ON namespace_grants (account);

CREATE TABLE keys (
  namespace text COLLATE "C" NOT NULL,
  kid text COLLATE "C" NOT NULL,
  role text COLLATE "C" NOT NULL CHECK (role IN ('own', 'sign')),
  x text COLLATE "C" NOT NULL,
  added bigint NOT NULL,
  revoked bigint,
  invalid_from bigint,
  reason text COLLATE "C" CHECK (reason IN ('superseded', 'cessation', 'compromise')),
  PRIMARY KEY (namespace, kid, role)
);
