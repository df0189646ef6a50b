import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onFreePort } from './ports.js'

/** The PgBouncer that is installed, or undefined (said loudly). */
export function pgbouncerPath(): string | undefined {
  const path = process.env['PGBOUNCER_PATH'] ?? '/usr/sbin/pgbouncer'
  if (existsSync(path)) return path
  console.warn(`SKIPPING TESTS: no PgBouncer at ${path}; PGBOUNCER_PATH names another`)
  return undefined
}

export interface Bouncer {
  /** The URL of the same database, through it. */
  through(url: string): string
  stop(): Promise<void>
}

/** In front of the server of this URL, on loopback: transactions are pooled, and whatever else there is, is its default. */
export async function startPgbouncer(program: string, server: string): Promise<Bouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-pgbouncer-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const { child, port } = await onFreePort((at) => startIn(folder, program, server, at))
    return {
      through: (url) => {
        const at = new URL(url)
        at.port = String(port)
        return at.href
      },
      stop: async () => {
        await end(child)
        await remove()
      },
    }
  } catch (cause) {
    await remove()
    throw cause
  }
}

async function startIn(
  folder: string,
  program: string,
  server: string,
  port: number,
): Promise<{ child: ChildProcess; port: number }> {
  const user = ownUser()
  const [config, users] = [join(folder, 'pgbouncer.ini'), join(folder, 'users.txt')]
  const { hostname, port: serverPort, username, password } = new URL(server)
  await writeFile(users, `"${username}" "${password}"\n`)
  await writeFile(
    config,
    `[databases]
* = host=${hostname} port=${serverPort}
[pgbouncer]
pool_mode = transaction
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_file = ${users}
`,
  )
  if (user !== undefined) for (const path of [folder, config, users]) await chown(path, user.uid, user.gid)
  const child = spawn(program, [config], { ...user, stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((up, failed) => {
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('process up')) up()
    })
    child.once('error', failed)
    child.once('close', () => failed(new Error(`PgBouncer did not start:\n${said}`)))
  })
  return { child, port }
}

/** At once: a polite end is one for which newer versions wait until every client has gone. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** It does not run as root: then as the user that PostgreSQL runs as. */
function ownUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
