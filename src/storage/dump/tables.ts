// Every table that makes up a registry, the same on both engines. What the log says comes first, so that a reader sees
// soon whose log it is; a table that another one refers to stands before it.

export type ColumnKind = 'int' | 'text' | 'bytes'

export interface Column {
  readonly name: string
  readonly kind: ColumnKind
}

export interface Table {
  readonly name: string
  /** Its rows are written in this order. */
  readonly key: readonly string[]
  readonly columns: readonly Column[]
}

export type Value = string | number | Uint8Array | null
export type Row = readonly Value[]

/** Tables of a database that are no part of the registry: what was migrated, and counters that end by themselves. */
export const LEFT_OUT: readonly string[] = ['migrations', 'rate_limits']

/** The fact that says how far an import of this very database came; it stays where it is. */
export const IMPORT_FACT = 'import'

export const TABLES: readonly Table[] = [
  table(
    'log_state',
    'id',
    'id:int origin identity size:int root:bytes note published_size:int published_note base:int',
  ),
  table('entries', 'idx', 'idx:int data leaf_hash:bytes'),
  table('tiles', 'level n', 'level:int n:int data:bytes'),
  table('checkpoints', 'size', 'size:int root:bytes note'),
  table('root_notes', 'version', 'version:int note'),
  table('latest_about', 'target', 'target idx:int'),
  table('revocations', 'line added', 'line:bytes added:int removed:int'),
  table('revocation_lists', 'root', 'root as_of:int'),
  table('frozen_logs', 'number', 'number:int origin base:int size:int root:bytes note'),
  table('frozen_entries', 'log idx', 'log:int idx:int data leaf_hash:bytes'),
  table('frozen_tiles', 'log level n', 'log:int level:int n:int data:bytes'),
  table('frozen_checkpoints', 'log size', 'log:int size:int root:bytes note'),
  table('namespaces', 'namespace', 'namespace account proof idx:int'),
  table('namespace_grants', 'namespace', 'namespace account granted_by'),
  table(
    'namespace_proofs',
    'namespace',
    'namespace kind subject kid checked_at:int failing_since:int suspended:int',
  ),
  table('namespace_challenges', 'challenge', 'challenge namespace account kind expires_at:int'),
  table(
    'keys',
    'namespace kid role',
    'namespace kid role x added:int revoked:int invalid_from:int reason endorser usable_at:int',
  ),
  table(
    'manifests',
    'manifest',
    'manifest envelope_digest server folded namespace version role kid account status publish_index:int approve_index:int findings submitted_at:int tools lookups change_class change_base updated_at:int title description',
  ),
  table('envelopes', 'manifest', 'manifest envelope'),
  table('manifest_tools', 'digest manifest', 'digest manifest'),
  table('manifest_lookups', 'key manifest', 'key manifest'),
  table('bundles', 'manifest', 'manifest bundle'),
  table('policies', 'digest', 'digest text'),
  table('policy_versions', 'version', 'version:int digest set_by at:int'),
  table('votes', 'id', 'id:int subject account known:int at:int override comment reason'),
  table('decision_signatures', 'subject known kid', 'subject known:int kid sig'),
  table('audit', 'id', 'id:int at:int account action target detail idx:int'),
  table(
    'accounts',
    'account',
    'account roles disabled:int password_hash kind login password_once:int owner tokens_before:int issuer sub created_at:int roles_at:int',
  ),
  table('codes', 'hash', 'hash kind account roles made_by expires_at:int'),
  table(
    'oauth_clients',
    'client_id',
    'client_id account name auth_method secret_hash jwks redirect_uris grant_types scopes disabled:int created_at:int',
  ),
  table('oauth', 'model id', 'model id payload uid user_code grant_id expires_at:int account_id'),
  table('trusted_publishers', 'id', 'id namespace server issuer claims account made_by created_at:int'),
  table('used_once', 'kind value', 'kind value expires_at:int'),
  table(
    'webhooks',
    'id',
    'id url namespace events account last_record:int failures:int next_at:int disabled:int created_at:int',
  ),
  table('idempotency', 'key', 'key fingerprint runner lease_until:int answer expires_at:int'),
  table('facts', 'name', 'name value'),
]

/** Columns are texts unless they say otherwise. */
function table(name: string, key: string, columns: string): Table {
  return { name, key: key.split(' '), columns: columns.split(' ').map(column) }
}

function column(text: string): Column {
  const [name = '', kind = 'text'] = text.split(':')
  return { name, kind: kind as ColumnKind }
}
