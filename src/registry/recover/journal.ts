import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../../log/keys.js'
import { OperatorError } from '../errors.js'
import { replaceFile } from '../root/files.js'

/** What is decided once and for all runs of one recovery, so that none of them signs something else. */
export interface RecoveryPlan {
  readonly identity: string
  readonly frozen: { readonly origin: string; readonly size: number; readonly root: string }
  /** Of the successor. */
  readonly origin: string
  /** Text of the trust root that this run would sign. */
  readonly rootText: string
}

/** Survives the process: a recovery that was interrupted goes on where it was. */
export interface RecoveryJournal {
  /** Digest of the backup that was put in place, when there was one. */
  readSource(): Promise<string | undefined>
  writeSource(digest: string): Promise<void>
  /** Trust roots that are newer than those of the backup. */
  readRoots(): Promise<readonly string[]>
  writeRoots(notes: readonly string[]): Promise<void>
  readPlan(): Promise<RecoveryPlan | undefined>
  writePlan(plan: RecoveryPlan): Promise<void>
  /** Gives up what was begun, as long as the database has no successor; the key may serve the next plan. */
  dropPlan(): Promise<void>
  /** Where it is all kept. */
  readonly folder: string
  /** Where the successor's key waits until the database has its log. */
  readonly keyFile: string
  /** The recovery is done. */
  remove(): Promise<void>
}

/**
 * A registry that starts in the middle of a recovery would log what the recovery cuts off, with a key that somebody may
 * have stolen. Throws OperatorError `recovery-begun`.
 */
export async function assertNotRecovering(folder: string): Promise<void> {
  if (!(await exists(folder))) return
  const message =
    'a recovery of this registry has begun and is not finished: run `countersign-registry recover` again, with --root ' +
    `FILE once people have signed its draft. To give up a draft that nobody needs any more, move ${folder} away.`
  throw new OperatorError('recovery-begun', message)
}

export function openJournal(folder: string): RecoveryJournal {
  const read = async <T>(name: string): Promise<T | undefined> => {
    const file = join(folder, name)
    if (!(await exists(file))) return undefined
    try {
      return JSON.parse(await readFile(file, 'utf8')) as T
    } catch (cause) {
      throw new OperatorError('file-unusable', `${file} is damaged: remove ${folder} and recover anew`, {
        cause,
      })
    }
  }
  const write = async (name: string, value: unknown): Promise<void> => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await replaceFile(join(folder, name), JSON.stringify(value), 0o600)
  }
  return {
    readSource: async () => (await read<{ digest: string }>('source.json'))?.digest,
    writeSource: (digest) => write('source.json', { digest }),
    readRoots: async () => (await read<string[]>('roots.json')) ?? [],
    writeRoots: (notes) => write('roots.json', notes),
    readPlan: () => read<RecoveryPlan>('plan.json'),
    writePlan: (plan) => write('plan.json', plan),
    dropPlan: async () => {
      // In this order: a plan without its source is still what people agreed to.
      for (const name of ['source.json', 'plan.json']) await rm(join(folder, name), { force: true })
    },
    folder,
    keyFile: join(folder, 'log.key'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
