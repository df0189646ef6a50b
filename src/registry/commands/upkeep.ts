import { mkdir } from 'node:fs/promises'
import { checkLog, type LogCheck } from '../../log/fsck.js'
import { resetPassword } from '../../auth/accounts.js'
import { onDumpTarget } from '../../storage/dump/open.js'
import { openStore } from '../../storage/open.js'
import type { LogState, Store } from '../../storage/store.js'
import { databasePlace } from '../database.js'
import { effectiveConfig } from '../effective.js'
import { OperatorError } from '../errors.js'
import { recover } from '../recover/recover.js'
import { recoveryPlaces } from '../recover/places.js'
import { assertThere, openStopped } from '../recover/source.js'
import { REPLACEABLE } from '../siblings.js'
import { openStoppedRegistry, outsideOf } from '../stopped.js'
import { visible } from '../terminal.js'
import type { Command } from './command.js'

/** `migrate` */
export const migrateCommand: Command = async ({ config, secrets, terminal }) => {
  const place = databasePlace(config, secrets)
  if (place.engine === 'sqlite') await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const store = await openStore(place)
  await store.close()
  terminal.say(`${place.engine === 'sqlite' ? place.file : 'the PostgreSQL database'} is up to date`)
}

/** `print-config` */
export const printConfigCommand: Command = ({ config, secrets, terminal }) => {
  terminal.say(JSON.stringify(effectiveConfig(config, secrets), null, 2))
  return Promise.resolve()
}

/** `reset-password`: the way back in when every admin's password is lost, for whoever may stop the registry. */
export const resetPasswordCommand: Command = async ({ config, secrets, terminal, input }) => {
  const account = input.args[0] ?? 'admin'
  const store = await openStopped(databasePlace(config, secrets))
  try {
    const code = await resetPassword(store, account)
    terminal.say(
      `A code for ${account}, good for a day and for one new password:\n\n  ${code}\n\n` +
        'With the registry running, give it at /account/recover.',
    )
  } finally {
    await store.close()
  }
}

/** `fsck` */
export const fsckCommand: Command = async ({ config, secrets, terminal }) => {
  const stopped = await openStoppedRegistry(config, secrets)
  const { store, keys } = stopped
  try {
    const before = await store.readLogState()
    let step = ''
    const check = await checkLog(store, keys, (progress) => {
      if (step !== `${progress.step} ${progress.of}`)
        terminal.tell(`checking ${progress.step} of ${progress.of}`)
      step = `${progress.step} ${progress.of}`
    })
    if (check.faultCount > 0) await assertStill(store, before)
    for (const line of describeCheck(check)) terminal.say(line)
    if (check.faultCount > 0) throw new OperatorError('log-damaged', `the log has ${check.faultCount} faults`)
  } finally {
    await stopped.close()
  }
}

/** Where several processes write, what a moving log looks like says nothing of it. */
async function assertStill(store: Store, before: LogState | undefined): Promise<void> {
  const after = await store.readLogState()
  if (after?.note === before?.note && after?.publishedNote === before?.publishedNote) return
  const message =
    'the log moved while it was checked: stop every process, or check a copy (`export`, and `import` elsewhere)'
  throw new OperatorError('running', message)
}

function describeCheck({ logs, derived, faults, faultCount }: LogCheck): string[] {
  return [
    ...logs.map(
      ({ origin, size, tiles, checkpoints }) =>
        `${origin}: ${size} entries, ${tiles} tiles, ${checkpoints} checkpoints`,
    ),
    `${derived} rows held against their entries`,
    ...faults.map(({ code, detail }) => `${code} ${visible(JSON.stringify(detail))}`),
    faultCount === 0 ? 'sound' : `${faultCount} faults`,
  ]
}

/** `adopt-keys`: the next process that starts says which keys all of them have. */
export const adoptKeysCommand: Command = async ({ config, secrets, terminal }) => {
  const place = databasePlace(config, secrets)
  await assertThere(place)
  await terminal.confirm(
    'Is every process of this registry stopped, and do all have the same oauth/ folder now?',
  )
  await onDumpTarget(place, (target) => target.forgetFacts(REPLACEABLE))
  terminal.say('the keys of the next start are those of every process')
}

/** `recover` */
export const recoverCommand: Command = async ({ config, secrets, terminal, input, now }) => {
  const { frozen, origin, vkey } = await recover(
    {
      places: recoveryPlaces(config, secrets),
      ...{ from: input.one('from'), root: input.one('root'), out: input.one('out') },
      ...{ knownRoots: input.many('known-root'), outside: outsideOf(config), now },
    },
    terminal,
  )
  terminal.say(`${frozen.origin} ended at ${frozen.size} entries; ${origin} goes on`)
  terminal.say(vkey)
  terminal.tell('Give this key to the witnesses of the log, and start the registry.')
}
