import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { checkLog } from '../../log/fsck.js'
import { exists, openStandingKeys } from '../../log/keys.js'
import type { Footer, Header } from '../../storage/dump/format.js'
import { onDumpTarget, openDumpSource, openDumpTarget } from '../../storage/dump/open.js'
import { readDump, readDumpHeader } from '../../storage/dump/read.js'
import { IMPORT_FACT } from '../../storage/dump/tables.js'
import { writeDump, type OnProgress } from '../../storage/dump/write.js'
import { databasePlace } from '../database.js'
import { OperatorError } from '../errors.js'
import { assertThere } from '../recover/source.js'
import { openStoppedRegistry } from '../stopped.js'
import { visible, type Terminal } from '../terminal.js'
import type { Command, CommandWorld } from './command.js'

/** `export`: also while the registry runs. */
export const exportCommand: Command = async ({ config, secrets, terminal, input }) => {
  const place = databasePlace(config, secrets)
  await assertThere(place)
  const file = resolve(input.one('out') ?? '')
  const source = await openDumpSource(place)
  try {
    const said = await writeDump(source, file, tellProgress(terminal))
    sayDone(terminal, input.flag('json'), { file, ...said }, `exported to ${file}`)
    terminal.tell(
      `The keys are not in it: keep ${join(config.dataDir, 'keys')} and oauth/ beside it as well.`,
    )
  } finally {
    await source.close()
  }
}

/**
 * `import`: the header against the keys, every row in one transaction, the log checked from its entries; only then may a
 * registry start on it. A log with faults is taken out again.
 */
export const importCommand: Command = async (world) => {
  const { config, secrets, terminal, input } = world
  const file = resolve(input.args[0] ?? '')
  await assertOwn(world, await readDumpHeader(file))
  const place = databasePlace(config, secrets)
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const target = await openDumpTarget(place)
  const said = await readDump(file, target, tellProgress(terminal)).finally(() => target.close())
  const faults = await findFaults(world)
  if (faults.length > 0) {
    await onDumpTarget(place, (filled) => filled.wipe())
    for (const line of faults) terminal.tell(line)
    throw new OperatorError('log-damaged', `the log in ${file} has faults; the database is empty again`)
  }
  await onDumpTarget(place, (filled) => filled.setFact(IMPORT_FACT, 'done'))
  sayDone(terminal, input.flag('json'), { file, ...said }, `imported from ${file}, and checked`)
}

/** An export of another registry would be signed on with keys that are not its own. */
async function assertOwn({ config }: CommandWorld, { identity }: Header): Promise<void> {
  const folder = join(config.dataDir, 'keys')
  if (!(await exists(folder))) {
    const message = `there are no keys at ${folder}: put the folders keys/ and oauth/ of the registry there first`
    throw new OperatorError('not-started', message)
  }
  const own = await openStandingKeys(folder)
  if (own.identity === identity) return
  const message = `the export is of ${visible(identity)}, and the keys are of ${own.identity}`
  throw new OperatorError('other-registry', message)
}

const SHOWN_FAULTS = 10

async function findFaults({ config, secrets, terminal }: CommandWorld): Promise<string[]> {
  const stopped = await openStoppedRegistry(config, secrets)
  try {
    terminal.tell('checking the log')
    const { faults } = await checkLog(stopped.store, stopped.keys)
    return faults
      .slice(0, SHOWN_FAULTS)
      .map(({ code, detail }) => `${code} ${visible(JSON.stringify(detail))}`)
  } finally {
    await stopped.close()
  }
}

function tellProgress(terminal: Terminal): OnProgress {
  return ({ table, rows }) => {
    if (rows > 0) terminal.tell(`${table}: ${rows}`)
  }
}

function sayDone(
  terminal: Terminal,
  isJson: boolean,
  { file, identity, origin, base, size, rows, sha256 }: Header & Footer & { file: string },
  sentence: string,
): void {
  if (isJson) terminal.say(JSON.stringify({ file, identity, origin, base, size, rows, sha256 }))
  else terminal.say(`${identity}: ${size} entries of ${origin} ${sentence}\n  content sha256 ${sha256}`)
}
