import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { toHex } from 'countersign/core'
import { openAuthKeys } from '../auth/keys.js'
import type { Config, Secrets } from '../config.js'
import { openKeys } from '../log/keys.js'
import { IMPORT_DONE } from '../storage/dump/read.js'
import { IMPORT_FACT } from '../storage/dump/tables.js'
import type { SharedStore } from '../storage/store.js'
import { openWebhookKey } from '../webhooks/key.js'
import { OperatorError } from './errors.js'

// Processes over one database speak as one registry: a token that one of them gave must be good at the others, and a
// status that one signs must be of the key that the trust root names. The first one that starts keeps what it has.

/** Public keys and digests, by name; none of them is a secret. */
export type SiblingFacts = Readonly<Record<(typeof FACTS)[number], string>>

/** Those that follow the files of `oauth/`: they may be replaced, everywhere at once. */
export const REPLACEABLE = ['token-key', 'cookie-key', 'webhook-key'] as const
const FACTS = ['identity', 'timestamper-key', ...REPLACEABLE] as const

/** What this process would sign with; keys are made where there are none yet. */
export async function readFacts(config: Config, { logKeyFile }: Secrets): Promise<SiblingFacts> {
  const keys = await openKeys(join(config.dataDir, 'keys'), {
    ...(config.identity === undefined ? {} : { identity: config.identity }),
    ...(logKeyFile === undefined ? {} : { logKeyFile }),
  })
  const oauth = join(config.dataDir, 'oauth')
  const { tokenKey, cookieKeys } = await openAuthKeys(oauth)
  return {
    identity: keys.identity,
    'timestamper-key': toHex(keys.timestamper.key.publicKey),
    'token-key': tokenKey.x ?? '',
    // A secret: only whether it is the same one may be known.
    'cookie-key': createHash('sha256').update(`countersign cookie key\0${cookieKeys.join()}`).digest('hex'),
    'webhook-key': (await openWebhookKey(oauth)).publicKey,
  }
}

/**
 * Holds this process against those that started before it. Throws OperatorError `other-keys`, and nothing was signed
 * then.
 */
export async function assertSiblings(
  store: Pick<SharedStore, 'keepFact'>,
  facts: SiblingFacts,
  { dataDir }: Pick<Config, 'dataDir'>,
): Promise<void> {
  for (const name of FACTS) {
    if ((await store.keepFact(name, facts[name])) !== facts[name]) throw otherKeys(name, dataDir)
  }
}

function otherKeys(name: keyof SiblingFacts, dataDir: string): OperatorError {
  const remedy = REPLACEABLE.some((one) => one === name)
    ? 'If they were replaced on purpose: stop every process, give all of them the same files, and run ' +
      '`countersign-registry adopt-keys` once.'
    : 'They can never be others: look whether the database is the right one.'
  return new OperatorError(
    'other-keys',
    `The other processes of this registry have another ${name} than this one. Give ${dataDir} the folders keys/ and ` +
      `oauth/ of one of them (0600, same user). ${remedy}`,
  )
}

/** Throws OperatorError `import-unfinished` on a database that an import filled and nobody checked. */
export async function assertImported(store: Pick<SharedStore, 'keepFact'>): Promise<void> {
  if ((await store.keepFact(IMPORT_FACT, IMPORT_DONE)) === IMPORT_DONE) return
  const message =
    'an import into this database did not come to its end: run `countersign-registry import FILE` again'
  throw new OperatorError('import-unfinished', message)
}
