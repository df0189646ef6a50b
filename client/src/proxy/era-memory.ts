import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandTarget } from './target.js'

/** A server is updated behind an unchanged launch: what was found out is believed for a day. */
const BELIEVED_MS = 24 * 3600 * 1000

/** Which launches start a server that knows no `server/discover`. Only saves a start; nothing is decided by it. */
export interface EraMemory {
  isLegacy(): boolean
  /** @param legacy what the newest probe found */
  note(legacy: boolean): void
}

/** One launch, remembered as a file of a folder; a folder that cannot be used remembers nothing. */
export function eraFile(folder: string, { command, args, cwd }: CommandTarget): EraMemory {
  const launch = JSON.stringify([command, args, cwd ?? process.cwd()])
  const file = join(folder, createHash('sha256').update(launch).digest('hex'))
  const quietly = <T>(otherwise: T, act: () => T): T => {
    try {
      return act()
    } catch {
      return otherwise // the server is then probed again
    }
  }
  return {
    isLegacy: () => quietly(false, () => Date.now() - statSync(file).mtimeMs < BELIEVED_MS),
    note: (legacy) =>
      quietly(undefined, () => {
        if (!legacy) {
          rmSync(file, { force: true })
          return
        }
        mkdirSync(folder, { recursive: true, mode: 0o700 })
        writeFileSync(file, '', { mode: 0o600 })
      }),
  }
}

export const NO_ERA_MEMORY: EraMemory = { isLegacy: () => false, note: () => undefined }
