import { openTrustRoot, rootFingerprint, type FreshnessLimits, type TrustRoot } from 'countersign/core'
import { exists } from '../../log/keys.js'
import { readNewestRoot } from '../../log/root-notes.js'
import { refusing } from '../../log/root.js'
import type { CommandInput } from '../command-line.js'
import { databasePlace } from '../database.js'
import { OperatorError } from '../errors.js'
import { assertNotRecovering } from '../recover/journal.js'
import { recoveryFolder } from '../recover/places.js'
import { openStopped } from '../recover/source.js'
import { proposeRoot, type RootChange } from '../root/draft.js'
import { assertFree, formatDraft, readText, writeNew } from '../root/files.js'
import { initRoot } from '../root/init.js'
import { beginLog, isBegun, type LoggedRoot } from '../root/publish.js'
import { describeProposal, previousFileOf } from '../root/sign.js'
import { readPeople, readPolicy, readRootPeople } from '../root-people.js'
import { openStoppedLog, openStoppedRegistry } from '../stopped.js'
import type { Command, CommandWorld } from './command.js'

/** `root init` */
export const initCommand: Command = async ({ config, secrets, terminal, input, now }) => {
  const people = await readRootPeople(
    input.one('people') ?? config.rootFile,
    input.one('policy') ?? config.witnessPolicyFile,
  )
  const out = input.one('out') ?? ''
  const draft = await initRoot({
    ...{ config, secrets, now, out, database: databasePlace(config, secrets), people: people ?? {} },
    ...{ rootKeys: input.many('root-key'), identity: input.one('identity') },
    threshold: wholeNumber(input, 'threshold'),
  })
  for (const line of describeProposal({ draft })) terminal.tell(line)
  terminal.say(rootFingerprint(draft.text))
  if (draft.lines.length === 0) terminal.tell(`Next: countersign-registry root sign ${out} --key FILE`)
  else terminal.tell(`Next: countersign-registry root publish ${out}`)
}

/** `root propose` */
export const proposeCommand: Command = async (world) => {
  const { terminal, input, now } = world
  const current = await readCurrent(world)
  const draft = proposeRoot(current, await changeOf(input), now)
  const out = input.one('out') ?? ''
  await assertFree(out)
  const previous = previousFileOf(out)
  const isKept = (await exists(previous)) && (await readText(previous)) === current.note
  if (!isKept) await writeNew(previous, current.note)
  await writeNew(out, formatDraft(draft.text, []))
  for (const line of describeProposal({ draft, previous: current })) terminal.tell(line)
  terminal.tell(`Next: countersign-registry root sign ${out}, with ${previousFileOf(out)} beside it`)
}

/** The newest root: of a file, or of the database while nobody has it. */
async function readCurrent({ config, secrets, input }: CommandWorld): Promise<TrustRoot> {
  const file = input.one('from')
  if (file !== undefined) {
    const note = await readText(file)
    return refusing(() => openTrustRoot(note))
  }
  const store = await openStopped(databasePlace(config, secrets)).catch((cause: unknown) => {
    if (!(cause instanceof OperatorError) || cause.code !== 'running') throw cause
    const message =
      'the registry is running: give its newest root (GET /v1/root/latest) with --from, or stop it'
    throw new OperatorError('running', message, { cause })
  })
  try {
    if (await isBegun(store)) return openTrustRoot((await readNewestRoot(store)).note)
  } finally {
    await store.close()
  }
  throw new OperatorError('not-started', 'there is no root to change yet: begin with `root init`')
}

async function changeOf(input: CommandInput): Promise<RootChange> {
  const [policy, people] = [input.one('policy'), input.one('people')]
  const threshold = wholeNumber(input, 'threshold')
  const expires = input.one('expires')
  return {
    ...(policy === undefined ? {} : { policy: await readPolicy(policy) }),
    ...(people === undefined ? {} : { people: await readPeople(people) }),
    ...{ addRootKeys: input.many('add-root-key'), removeRootKeys: input.many('remove-root-key') },
    ...(threshold === undefined ? {} : { threshold }),
    ...(expires === undefined ? {} : { expires }),
    freshness: freshnessOf(input),
  }
}

function freshnessOf(input: CommandInput): Partial<FreshnessLimits> {
  const limits = {
    refreshSeconds: wholeNumber(input, 'refresh-seconds'),
    maxSeconds: wholeNumber(input, 'max-seconds'),
    offlineMaxSeconds: wholeNumber(input, 'offline-max-seconds'),
  }
  return Object.fromEntries(Object.entries(limits).filter(([, seconds]) => seconds !== undefined))
}

/** `root publish FILE` */
export const publishCommand: Command = async (world) => {
  const note = await readText(world.input.args[0] ?? '')
  const { version, digest, index } = await publish(note, world).catch((cause: unknown) => {
    if (!(cause instanceof OperatorError) || cause.code !== 'running') throw cause
    const message = 'the registry is running: countersign admin root publish FILE'
    throw new OperatorError('running', message, { cause })
  })
  world.terminal.say(`trust root ${version} is entry ${index} of the log: ${digest}`)
}

async function publish(note: string, { config, secrets, input, now }: CommandWorld): Promise<LoggedRoot> {
  await assertNotRecovering(recoveryFolder(config))
  const stopped = await openStoppedRegistry(config, secrets, true)
  try {
    if (!(await isBegun(stopped.store))) return await beginLog(note, { ...stopped, now })
    const ledger = await openStoppedLog(config, stopped)
    return await ledger.publishRoot(note, { force: input.flag('force') }).finally(() => ledger.close())
  } finally {
    await stopped.close()
  }
}

function wholeNumber(input: CommandInput, name: string): number | undefined {
  const text = input.one(name)
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new OperatorError('number-invalid', `--${name} is a whole number from 1`)
}
