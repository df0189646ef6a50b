import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { LedgerFatal } from '../../log/errors.js'
import { checkLog } from '../../log/fsck.js'
import { exists, openStandingKeys } from '../../log/keys.js'
import type { Footer, Header } from '../../storage/dump/format.js'
import { onDumpTarget, openDumpSource, openDumpTarget } from '../../storage/dump/open.js'
import type { DumpTarget } from '../../storage/dump/port.js'
import { assertWhole, IMPORT_DONE, readDump, readDumpHeader } from '../../storage/dump/read.js'
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
      `The keys are not in it: keep ${join(config.dataDir, 'keys')} and oauth/ as well, in another place.`,
    )
  } finally {
    await source.close()
  }
}

/**
 * `import`: the header against the keys, the file to its end, every row in one transaction, the log checked from its
 * entries; only then may a registry start on it. A log with faults is taken out again.
 */
export const importCommand: Command = async (world) => {
  const { config, secrets, terminal, input } = world
  const file = resolve(input.args[0] ?? '')
  await assertOwn(world, await readDumpHeader(file))
  await assertWhole(file)
  const place = databasePlace(config, secrets)
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const target = await openDumpTarget(place)
  const said = await readDump(file, target, tellProgress(terminal)).finally(() => target.close())
  const onOurs = (work: (filled: DumpTarget) => Promise<void>): Promise<void> =>
    onDumpTarget(place, async (filled) => {
      await assertOurs(filled, said.mark)
      await work(filled)
    })
  const faults = await findFaults(world, said)
  if (faults.length > 0) {
    await onOurs((filled) => filled.wipe())
    for (const line of faults) terminal.tell(line)
    throw new OperatorError('log-damaged', `the log in ${file} has faults; the database is empty again`)
  }
  await onOurs((filled) => filled.setFact(IMPORT_FACT, IMPORT_DONE))
  sayDone(terminal, input.flag('json'), { file, ...said }, `imported from ${file}, and checked`)
}

/** While this one checked, another import may have filled the database anew, and a registry may run on it by now. */
async function assertOurs(filled: DumpTarget, mark: string): Promise<void> {
  if ((await filled.fact(IMPORT_FACT)) === mark) return
  const message = 'another import has filled this database meanwhile: what that one says is what holds'
  throw new OperatorError('running', message)
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
const STATED = ['identity', 'origin', 'base', 'size', 'publishedSize'] as const

async function findFaults({ config, secrets, terminal }: CommandWorld, header: Header): Promise<string[]> {
  const stopped = await openStoppedRegistry(config, secrets)
  try {
    terminal.tell('checking the log')
    const { faults } = await checkLog(stopped.store, stopped.keys).catch(asFault)
    const state = await stopped.store.readLogState()
    // What was held against the keys, and what is told, is the first line.
    const other = STATED.filter((name) => state?.[name] !== header[name])
    return [...faults, ...other.map((name) => ({ code: 'other-state', detail: name }))]
      .slice(0, SHOWN_FAULTS)
      .map(({ code, detail }) => `${code} ${visible(JSON.stringify(detail))}`)
  } finally {
    await stopped.close()
  }
}

/** There is no log in it, or one that is too far off to be read. */
function asFault(cause: unknown): { faults: { code: string; detail: unknown }[] } {
  if (cause instanceof LedgerFatal) return { faults: [{ code: cause.code, detail: cause.message }] }
  throw cause
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
