import { mkdir } from 'node:fs/promises'
import { config as readDotenv } from 'dotenv'
import { destination, pino, type Logger } from 'pino'
import { ConfigError, parseCommand, readConfig, type Config, type Secrets } from './config.js'
import { openListener } from './http/server.js'
import { LedgerFatal } from './log/errors.js'
import {
  AuthError,
  KeyFileError,
  RootFileError,
  databaseFile,
  openRegistry,
  startPasswordReset,
  type Registry,
} from './registry.js'
import { StoreError } from './storage/errors.js'
import { openSqliteStore } from './storage/sqlite.js'

const HELP = `countersign-registry: a signed tool registry for the Model Context Protocol

  serve           start the registry (default); npm start
  migrate         bring the database up to this version, and stop
  reset-password  print a code that sets a new password (reset-password ACCOUNT; default: admin); while it is stopped
  print-config    print the configuration without secrets, and stop (also: serve --print-config)

Settings come from the environment and from .env, each with the prefix COUNTERSIGN_:
  PUBLIC_URL, LISTEN (127.0.0.1:8460; port 0 takes a free one), DATA_DIR (./data), LOG_LEVEL, TRUST_PROXY
  LOG_KEY_FILE, ROLLBACK_FILE; IDENTITY and ROOT_FILE before the first start only
  ISSUER, ISSUER_AUDIENCE, ISSUER_CLIENT_ID, ISSUER_ADMIN, ISSUER_ROLES_CLAIM, ISSUER_ALGORITHMS: log in elsewhere
  DPOP (optional, admin), DNS_SERVERS, PROOF_CHECK_SECONDS, KEY_RECOVERY_SECONDS, WEBHOOK_URL
`

/** Exit codes: 0 ok, 1 failed, 2 usage. */
async function main(argv: readonly string[]): Promise<void> {
  const command = parseCommand(argv)
  if (command === 'help') {
    say(HELP)
    return
  }
  readDotenv({ quiet: true })
  const { config, secrets } = readConfig(process.env)
  if (command === 'print-config') say(`${JSON.stringify(config, null, 2)}\n`)
  else if (command === 'migrate') await migrate(config)
  else if (command === 'reset-password') await resetPassword(config, argv[1])
  else await serve(config, secrets)
}

async function migrate(config: Config): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const store = await openSqliteStore(databaseFile(config))
  await store.close()
  say(`${databaseFile(config)} is up to date\n`)
}

/** The way back in when every admin's password is lost: whoever may stop the registry may give out a code. */
async function resetPassword(config: Config, account = 'admin'): Promise<void> {
  const store = await openSqliteStore(databaseFile(config))
  try {
    const code = await startPasswordReset(store, account)
    say(
      `A code for ${account}, good for a day and for one new password:\n\n  ${code}\n\nStart the registry, `,
    )
    say('and give it at /account/recover.\n')
  } finally {
    await store.close()
  }
}

/** Bind, open, answer, tell; then wait for a signal and close in the opposite order. */
async function serve(config: Config, secrets: Secrets): Promise<void> {
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
  say(greeting(registry, publicUrl, config))
  log.info({ url: publicUrl, identity: registry.identity, size: registry.ledger.publishedSize() }, 'serving')
  const why = await end.reached
  if (why instanceof LedgerFatal) {
    log.fatal({ code: why.code, err: why }, 'the log has stopped')
    fail(why)
  }
  log.info({ signal: why instanceof LedgerFatal ? undefined : why }, 'closing')
  await listener.close()
  await registry.close()
  log.info('closed')
  log.flush()
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
  return `${lines.join('\n')}\n`
}

function say(text: string): void {
  process.stdout.write(text)
}

/** What an operator can act on is told in a sentence; anything else is a defect and shows its stack. */
function fail(error: unknown): void {
  const known =
    error instanceof ConfigError ||
    error instanceof KeyFileError ||
    error instanceof RootFileError ||
    error instanceof AuthError ||
    error instanceof LedgerFatal ||
    error instanceof StoreError ||
    isBindError(error)
  process.stderr.write(`${known ? (error as Error).message : String((error as Error).stack ?? error)}\n`)
  process.exitCode = error instanceof ConfigError ? 2 : 1
}

function isBindError(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes((error as NodeJS.ErrnoException).code ?? '')
}

await main(process.argv.slice(2)).catch(fail)
