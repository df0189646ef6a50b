import { mkdir } from 'node:fs/promises'
import { checkLog, type LogCheck } from '../../log/fsck.js'
import { resetPassword } from '../../auth/accounts.js'
import { openSqliteStore } from '../../storage/sqlite.js'
import { databaseFile } from '../database.js'
import { OperatorError } from '../errors.js'
import { recover } from '../recover/recover.js'
import { recoveryPlaces } from '../recover/places.js'
import { openStopped } from '../recover/source.js'
import { openStoppedRegistry, outsideOf } from '../stopped.js'
import { visible } from '../terminal.js'
import type { Command } from './command.js'

/** `migrate` */
export const migrateCommand: Command = async ({ config, terminal }) => {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const store = await openSqliteStore(databaseFile(config))
  await store.close()
  terminal.say(`${databaseFile(config)} is up to date`)
}

/** `print-config` */
export const printConfigCommand: Command = ({ config, terminal }) => {
  terminal.say(JSON.stringify(config, null, 2))
  return Promise.resolve()
}

/** `reset-password`: the way back in when every admin's password is lost, for whoever may stop the registry. */
export const resetPasswordCommand: Command = async ({ config, terminal, input }) => {
  const account = input.args[0] ?? 'admin'
  const store = await openStopped(databaseFile(config))
  try {
    const code = await resetPassword(store, account)
    terminal.say(
      `A code for ${account}, good for a day and for one new password:\n\n  ${code}\n\n` +
        'Start the registry, and give it at /account/recover.',
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
    let step = ''
    const check = await checkLog(store, keys, (progress) => {
      if (step !== `${progress.step} ${progress.of}`)
        terminal.tell(`checking ${progress.step} of ${progress.of}`)
      step = `${progress.step} ${progress.of}`
    })
    for (const line of describeCheck(check)) terminal.say(line)
    if (check.faultCount > 0) throw new OperatorError('log-damaged', `the log has ${check.faultCount} faults`)
  } finally {
    await stopped.close()
  }
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

/** `recover` */
export const recoverCommand: Command = async ({ config, secrets, terminal, input, now }) => {
  const { frozen, origin, vkey } = await recover(
    {
      places: recoveryPlaces(config, secrets, databaseFile(config)),
      ...{ from: input.one('from'), root: input.one('root'), out: input.one('out') },
      ...{ knownRoots: input.many('known-root'), outside: outsideOf(config), now },
    },
    terminal,
  )
  terminal.say(`${frozen.origin} ended at ${frozen.size} entries; ${origin} goes on`)
  terminal.say(vkey)
  terminal.tell('Give this key to the witnesses of the log, and start the registry.')
}
