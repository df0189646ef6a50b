import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MEMORY = '/dev/shm'
const NAME = 'countersign-tests-'
const ROOM_BYTES = 4 * 2 ** 30
/** No run is as long. */
const LEFT_MS = 86_400_000

/**
 * A folder for whatever a run writes, in memory where there is room: tests end processes, never the machine, and so none has
 * to wait for a disk that others use as well. That programs sync what they answer for is what `durability.test.ts` shows.
 */
export default function setup(): void {
  if (process.env['TMPDIR'] !== undefined || !hasRoom()) return
  sweep()
  const folder = mkdtempSync(join(MEMORY, NAME))
  // PostgreSQL runs as somebody else.
  chmodSync(folder, 0o711)
  process.on('exit', () => remove(folder))
  if (runsPrograms(folder)) process.env['TMPDIR'] = folder
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    return false
  }
}

/** Some systems let nothing run from there. */
function runsPrograms(folder: string): boolean {
  const file = join(folder, 'try.sh')
  writeFileSync(file, '#!/bin/sh\n', { mode: 0o700 })
  try {
    execFileSync(file)
    return true
  } catch {
    return false
  } finally {
    rmSync(file)
  }
}

/** What runs left that were killed. */
function sweep(): void {
  for (const name of readdirSync(MEMORY)) {
    const left = join(MEMORY, name)
    const about = name.startsWith(NAME) ? statSync(left, { throwIfNoEntry: false }) : undefined
    if (about !== undefined && Date.now() - about.mtimeMs > LEFT_MS) remove(left)
  }
}

/** A folder that stays, as somebody else's does, is told of and fails nobody. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  } catch (error) {
    console.warn(`not removed: ${folder}: ${String(error)}`)
  }
}
