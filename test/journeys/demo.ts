import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { guardTransport, memoryInProcess, openHost, type GuardEvent, type Host } from 'countersign'
import { readTrust } from 'countersign/node'
import { startRegistry, runCountersign, type RunningRegistry } from '../support/processes.js'
import { rugPull, type Tampering } from '../support/rug-pull.js'

/**
 * The journeys with a real registry, a real MCP server and a real MCP client, narrated:
 * 1 a registry starts · 2 its admin logs in · 3 a key and a namespace · 4 vouch for a server · 5 review and approve ·
 * 6 use it through the guard · 7 a rug pull is blocked · 8 a revocation is honoured.
 * Leaves with 0 only when every step went as told.
 */
async function demo(): Promise<void> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'countersign-demo-')))
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  try {
    const stage = await setStage(folder)
    closing.unshift(() => stage.registry.stop())
    await logIn(stage)
    await claimNamespace(stage)
    const digest = await vouchForServer(stage)
    await approve(stage, digest)
    const use = await useThroughGuard(stage)
    closing.unshift(() => use.close())
    await pullTheRug(use)
    await revoke(stage, use, digest)
    say('', 'Every step went as told. The rug pull was blocked and the revocation honoured.')
  } finally {
    for (const close of closing) await close()
  }
}

const SERVER = 'internal.demo/filesystem'
const SERVER_MAIN = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', import.meta.url),
)

interface Stage {
  readonly folder: string
  readonly home: string
  readonly files: string
  readonly registry: RunningRegistry
  /** Runs one `countersign` command and returns its JSON. */
  readonly run: (...args: string[]) => Promise<Record<string, unknown>>
}

async function setStage(folder: string): Promise<Stage> {
  say('1', 'A registry starts on a free port, with an empty data folder.')
  const registry = await timed('started', () => startRegistry(join(folder, 'data')))
  const [home, files] = [join(folder, 'home'), join(folder, 'files')]
  await mkdir(files)
  await writeFile(join(files, 'note.txt'), 'the cat is on the mat\n')
  const run = (...args: string[]) => runCountersign(['--home', home, '--registry', registry.url, ...args])
  tell(`registry at ${registry.url}, trust root ${registry.fingerprint.slice(0, 19)}…`)
  return { folder, home, files, registry, run }
}

async function logIn({ run, registry }: Stage): Promise<void> {
  say('2', 'Its admin trades the one-time password for a login, and pins the trust root.')
  await timed('logged in', () => run('login', '--one-time-password', registry.oneTimePassword))
  await run('trust', 'add', registry.url, '--fingerprint', registry.fingerprint)
}

async function claimNamespace({ run }: Stage): Promise<void> {
  say('3', 'The admin makes a key and enrols it for the namespace internal.demo.')
  await run('keygen')
  await run('namespace', 'grant', 'internal.demo')
  await timed('key enrolled and logged', () => run('key', 'add', 'internal.demo'))
}

async function vouchForServer({ run, files }: Stage): Promise<string> {
  say(
    '4',
    'Nobody signed @modelcontextprotocol/server-filesystem. The organisation captures and vouches for it.',
  )
  const answer = await timed('captured twice, signed, published', () =>
    run('vouch', '--as', SERVER, '--set-version', '1.0.0', '--', process.execPath, SERVER_MAIN, files),
  )
  expectThat(answer['status'] === 'pending', `it waits for review (log index ${String(answer['index'])})`)
  return String(answer['manifest'])
}

async function approve({ run }: Stage, digest: string): Promise<void> {
  say('5', 'A reviewer reads exactly what the model would see, and approves that digest.')
  const shown = await run('admin', 'show', digest)
  expectThat(JSON.stringify(shown).includes('read_text_file'), 'the review shows the tools')
  await timed('approved and logged', () => run('admin', 'approve', digest))
}

interface Use {
  readonly client: Client
  readonly host: Host
  readonly events: GuardEvent[]
  readonly tampering: Tampering
  readonly files: string
  close(): Promise<void>
}

async function useThroughGuard({ home, files, registry }: Stage): Promise<Use> {
  say('6', 'A host connects the real SDK client to the real server, through the guard.')
  const trust = await readTrust(home)
  const host = await openHost({ registry: registry.url, trust, memory: memoryInProcess() })
  const events: GuardEvent[] = []
  const inner = new StdioClientTransport({
    command: process.execPath,
    args: [SERVER_MAIN, files],
    stderr: 'ignore',
  })
  const tampering = rugPull(inner)
  const client = new Client({ name: 'demo-host', version: '1.0.0' })
  const options = { host, server: SERVER, onEvent: (event: GuardEvent) => void events.push(event) }
  await timed('connected', () => client.connect(guardTransport(tampering.transport, options)))
  const { tools } = await timed('tools/list, every signature and proof checked', () => client.listTools())
  expectThat(tools.length > 10, `${tools.length} tools verified`)
  const text = await timed('tools/call read_text_file', () => read(client, files))
  expectThat(text.includes('the cat is on the mat'), 'the call went through')
  const close = async (): Promise<void> => {
    await client.close()
    await host.close()
  }
  return { client, host, events, tampering, files, close }
}

async function pullTheRug({ client, tampering, files, events }: Use): Promise<void> {
  say('7', 'Overnight the server changes: one description carries an order, and one tool is new.')
  await tampering.pull('read_text_file', 'send_report')
  const { tools } = await timed('tools/list', () => client.listTools(undefined, { cacheMode: 'refresh' }))
  const names = tools.map((tool) => tool.name)
  expectThat(
    !names.includes('read_text_file') && !names.includes('send_report'),
    'both are withheld from the list',
  )
  expectThat(!JSON.stringify(tools).includes('BCC'), 'no word of the order reached the host')
  expectThat(await isRefused(() => read(client, files)), 'a call of the changed tool is refused')
  expectThat(
    await isRefused(() => client.callTool({ name: 'send_report', arguments: {} })),
    'a call of the new one too',
  )
  const directory = await client.callTool({ name: 'list_directory', arguments: { path: files } })
  expectThat(JSON.stringify(directory).includes('note.txt'), 'the other tools still work')
  const codes = JSON.stringify(events)
  expectThat(
    codes.includes('definition-changed') && codes.includes('unlisted-tool'),
    'both verdicts are on record',
  )
}

async function revoke(
  { run }: Stage,
  { client, host, files, tampering }: Use,
  digest: string,
): Promise<void> {
  say('8', 'The server is honest again, but the admin revokes the version.')
  await tampering.repent()
  expectThat(
    (await read(client, files)).includes('cat'),
    'before the revocation the honest server works again',
  )
  await timed('revoked and logged', () => run('admin', 'revoke', digest, '--reason', 'demonstration'))
  await timed('the host refreshes its status', () => host.refresh())
  const { tools } = await client.listTools(undefined, { cacheMode: 'refresh' })
  expectThat(tools.length === 0, 'no tool is left in the list')
  expectThat(await isRefused(() => read(client, files)), 'and a call is refused')
}

async function read(client: Client, files: string): Promise<string> {
  return JSON.stringify(
    await client.callTool({ name: 'read_text_file', arguments: { path: join(files, 'note.txt') } }),
  )
}

async function isRefused(call: () => Promise<unknown>): Promise<boolean> {
  try {
    const result = await call()
    return (result as { isError?: boolean }).isError === true
  } catch {
    return true
  }
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not as told: ${what}`)
  tell(`ok: ${what}`)
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await work()
  tell(`${what} (${(performance.now() - start).toFixed(0)} ms)`)
  return result
}

function say(step: string, what: string): void {
  process.stdout.write(`\n${step === '' ? '' : `${step}. `}${what}\n`)
}

function tell(what: string): void {
  process.stdout.write(`   ${what}\n`)
}

try {
  await demo()
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
