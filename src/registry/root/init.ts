import { join } from 'node:path'
import type { Config, Secrets } from '../../config.js'
import { createKeys, exists, openKeys } from '../../log/keys.js'
import { firstRootBody, type RootPeople } from '../../log/root.js'
import type { Place } from '../../storage/open.js'
import { OperatorError } from '../errors.js'
import { assertThere, openStopped } from '../recover/source.js'
import { draftOf, rawKey } from './draft.js'
import { formatDraft, writeNew, type RootDraft } from './files.js'

export interface InitRequest {
  readonly config: Pick<Config, 'dataDir' | 'identity'>
  readonly secrets: Pick<Secrets, 'logKeyFile'>
  readonly database: Place
  /** Where they are kept elsewhere. */
  readonly rootKeys: readonly string[]
  readonly threshold?: number | undefined
  readonly people: RootPeople
  readonly identity?: string | undefined
  readonly out: string
  /** POSIX milliseconds. */
  readonly now: number
}

/**
 * Before the first start: the log's and the timestamper's keys, and version 1 of the trust root in a file, signed when
 * the root key is made here. Run again it drafts another first root for the same keys, as long as no log was begun.
 */
export async function initRoot(request: InitRequest): Promise<RootDraft> {
  const { config, secrets, rootKeys, threshold, people, out, now } = request
  if (rootKeys.length === 0 && (threshold ?? 1) !== 1) {
    const message = `of the one root key that is made here ${threshold ?? 1} cannot be needed: give --root-key`
    throw new OperatorError('threshold-invalid', message)
  }
  await assertNotStarted(request)
  const folder = join(config.dataDir, 'keys')
  const options = { ...identityOf(request), ...logKeyFileOf(secrets) }
  const [first] = rootKeys
  const made = {
    ...options,
    ceremony: true,
    ...(first === undefined ? {} : { rootKey: rawKey(first) }),
  } as const
  if (!(await exists(folder))) await createKeys(folder, made)
  const keys = await openKeys(folder, options)
  if (!keys.isCeremony) throw started('its keys are those of a start')
  const needed = threshold ?? rootKeys.length
  const named = rootKeys.length === 0 ? undefined : { rootKeys, threshold: needed }
  const body = firstRootBody(keys, now, people, named)
  const draft = draftOf({ identity: keys.identity, version: 1, body })
  // Where the root key is made here, nobody else is asked.
  const lines = named === undefined && keys.root !== undefined ? [keys.root.sign(draft.text)] : []
  await writeNew(out, formatDraft(draft.text, lines))
  return { ...draft, lines }
}

function identityOf({ identity, config }: InitRequest): { identity?: string } {
  const chosen = identity ?? config.identity
  return chosen === undefined ? {} : { identity: chosen }
}

function logKeyFileOf({ logKeyFile }: Pick<Secrets, 'logKeyFile'>): { logKeyFile?: string } {
  return logKeyFile === undefined ? {} : { logKeyFile }
}

async function assertNotStarted({ database }: InitRequest): Promise<void> {
  if (!(await isThere(database))) return
  const store = await openStopped(database)
  const state = await store.readLogState().finally(() => store.close())
  if (state !== undefined && state.size > 0) throw started('it has a log')
}

async function isThere(database: Place): Promise<boolean> {
  try {
    await assertThere(database)
    return true
  } catch (cause) {
    if (cause instanceof OperatorError && cause.code === 'not-started') return false
    throw cause
  }
}

function started(why: string): OperatorError {
  const message = `this registry was started before, ${why}: change its root with \`root propose\``
  return new OperatorError('already-started', message)
}
