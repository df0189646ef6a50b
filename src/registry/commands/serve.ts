import { destination, pino, type Logger } from 'pino'
import type { Config } from '../../config.js'
import { openListener } from '../../http/server.js'
import { LedgerFatal } from '../../log/errors.js'
import { openRegistry, type Registry } from '../../registry.js'
import { assertNotRecovering } from '../recover/journal.js'
import { recoveryFolder } from '../recover/places.js'
import type { Command } from './command.js'

/**
 * `serve`: bind, open, answer, tell; then wait for a signal and close in the opposite order: nothing new, what runs
 * ends, the log and the database last.
 */
export const serveCommand: Command = async ({ config, secrets, terminal }) => {
  await assertNotRecovering(recoveryFolder(config))
  const log = openLog(config)
  const listener = await openListener(config.listen)
  const publicUrl = config.publicUrl ?? listener.url
  const end = awaitEnd()
  const registry = await openRegistry({ ...config, publicUrl }, secrets, log, { onFatal: end.fail }).catch(
    async (cause: unknown) => {
      await listener.close(0)
      throw cause
    },
  )
  listener.serve(registry.app)
  terminal.say(greeting(registry, publicUrl, config))
  log.info({ url: publicUrl, identity: registry.identity, size: registry.ledger.publishedSize() }, 'serving')
  const why = await end.reached
  const isFatal = why instanceof LedgerFatal
  if (isFatal) log.fatal({ code: why.code, err: why }, 'the log has stopped')
  log.info({ signal: isFatal ? undefined : why }, 'closing')
  registry.drain()
  await listener.close()
  await registry.close()
  log.info('closed')
  log.flush()
  if (isFatal) throw why
}

/** The first signal asks to close (a second one ends the process), and so does a log that cannot go on. */
function awaitEnd() {
  let fail: (error: LedgerFatal) => void = () => undefined
  const reached = new Promise<NodeJS.Signals | LedgerFatal>((resolve) => {
    fail = resolve
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
  return { reached, fail }
}

/** The log goes to stderr: stdout is for people, and the one-time password is never in the log. */
function openLog(config: Config): Logger {
  return pino({ level: config.logLevel, base: null }, destination({ dest: 2, sync: true }))
}

function greeting({ identity, fingerprint, oneTimePassword }: Registry, url: string, config: Config): string {
  const lines = [
    'Countersign registry',
    `  url          ${url}`,
    `  identity     ${identity}`,
    `  fingerprint  ${fingerprint}`,
    `  data         ${config.dataDir}`,
  ]
  if (oneTimePassword !== undefined) {
    lines.push(
      '',
      'First start. One-time password of the account "admin", shown this once:',
      '',
      `  ${oneTimePassword}`,
      '',
      'Next:',
      `  npx countersign trust add ${url} --fingerprint ${fingerprint}`,
      `  npx countersign login --registry ${url} --one-time-password ${oneTimePassword}`,
    )
  }
  return lines.join('\n')
}
