import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from './errors.js'

export interface Migration {
  readonly step: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

export interface AppliedMigration {
  readonly step: number
  readonly name: string
  readonly checksum: string
}

/** The steps of a folder `NNNN-name.sql`, numbered from 1 without a gap. */
export function readMigrations(folder: string): Migration[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'))
  return files.sort().map((file, position) => readMigration(folder, file, position + 1))
}

/**
 * The steps still to be run. What ran before must be the beginning of what we know, byte for byte: a changed step
 * means that this database and this program do not have the same idea of it.
 */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): Migration[] {
  for (const [position, done] of applied.entries()) assertSame(done, known[position])
  return known.slice(applied.length)
}

function readMigration(folder: string, file: string, step: number): Migration {
  const match = /^([0-9]{4})-([a-z0-9-]+)\.sql$/.exec(file)
  if (match === null || Number(match[1]) !== step) {
    throw new StoreError('migration-malformed', `migration ${file} is not step ${step} of its folder`)
  }
  // A checkout may have turned line ends; the statements are the same.
  const sql = readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n')
  return { step, name: match[2] ?? '', sql, checksum: createHash('sha256').update(sql).digest('hex') }
}

function assertSame(done: AppliedMigration, known: Migration | undefined): void {
  if (known === undefined) {
    throw new StoreError(
      'migration-unknown',
      `the database has step ${done.step} (${done.name}) of a newer version`,
    )
  }
  if (done.step !== known.step || done.checksum !== known.checksum) {
    throw new StoreError(
      'migration-changed',
      `step ${done.step} (${done.name}) was applied with other contents`,
    )
  }
}
