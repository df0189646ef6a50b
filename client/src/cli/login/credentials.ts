import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError, refuse } from '../../core/index.js'
import { makeFolder } from '../../node/files.js'
import { takeLock, type Lock } from '../../node/lock.js'
import type { Context } from '../context.js'
import { parseCredentials, storedCredentials, type Credentials } from './credentials-shape.js'
import { assertPrivate, readState, writeOutput } from '../files.js'

/** Longer than anybody holds the lock: a renewal is two or three requests of ten seconds. */
const WAIT_MS = 40_000
const TURN_MS = 500

/** Where the login at one registry is kept. */
export interface Keeper {
  read(): Credentials | undefined
  /**
   * Replaces what is kept by what `step` makes of it; undefined forgets it. Nobody else changes it meanwhile: a rotated
   * refresh token is spent once.
   */
  change(step: (kept: Credentials | undefined) => Promise<Credentials | undefined>): Promise<void>
}

/** credentials.json of the home folder: 0600, whole or not at all, one writer at a time among all processes. */
export function fileKeeper(context: Context, registry: string): Keeper {
  const file = join(context.home, 'credentials.json')
  const read = (): Credentials | undefined => {
    assertPrivate(file)
    return parseCredentials((readState(file) ?? {})[registry])
  }
  return {
    read,
    async change(step) {
      await makeFolder(context.home)
      const lock = await takeLockUntil(`${file}.lock`, context.signal)
      try {
        const next = await step(read())
        // Whoever slept too long over it does not replace what another process wrote since.
        if (!(await lock.isHeld())) refuse('memory-locked', 'another process changed the logins meanwhile')
        write(file, registry, next)
      } finally {
        await lock.release()
      }
    },
  }
}

/** Waits in short turns, so that a person can end it. */
async function takeLockUntil(file: string, signal: AbortSignal): Promise<Lock> {
  for (const end = performance.now() + WAIT_MS; ;) {
    signal.throwIfAborted()
    try {
      return await takeLock(file, TURN_MS)
    } catch (error) {
      const isBusy = error instanceof CountersignError && error.code === 'memory-locked'
      if (!isBusy || performance.now() > end) throw error
    }
  }
}

/** A login that lasts as long as this process: a workflow's, which leaves nothing on the disk. */
export function processKeeper(first: Credentials): Keeper {
  let kept: Credentials | undefined = first
  return {
    read: () => kept,
    async change(step) {
      kept = await step(kept)
    },
  }
}

function write(file: string, registry: string, credentials: Credentials | undefined): void {
  const { [registry]: gone, ...others } = readState(file) ?? {}
  if (credentials === undefined && gone === undefined) return
  const all = credentials === undefined ? others : { ...others, [registry]: storedCredentials(credentials) }
  if (Object.keys(all).length === 0) rmSync(file)
  else writeOutput(file, `${JSON.stringify(all, undefined, 2)}\n`, 0o600)
}
