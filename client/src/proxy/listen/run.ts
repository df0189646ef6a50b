import { onProcessEnd, openEnding } from '../ending.js'
import { toStderr } from '../guard-process.js'
import { openGuardServer, type GuardServerOptions } from './guard-server.js'

/**
 * The guard as an HTTP server until a signal ends it. Says where it listens, and once the secret that it made up.
 * @returns the exit code: 1 when it cannot listen or a fault ends it, 128 + n after signal n
 */
export async function runGuardServer(options: GuardServerOptions): Promise<number> {
  const log = options.log ?? toStderr
  const ending = openEnding(log)
  const release = onProcessEnd(ending)
  const server = await openGuardServer(options, log).catch((error: unknown) => ending.fail(error))
  if (server !== undefined) {
    log(`listening on ${server.url}`)
    if (options.secret === undefined) log(`clients send: Authorization: Bearer ${server.secret}`)
  }
  const code = await ending.code
  await server?.close()
  release()
  return code
}
