import { homedir, hostname, platform, userInfo } from 'node:os'
import process from 'node:process'
import type { Facts } from '../core/index.js'

/**
 * What this machine says of itself, as servers that run on it would find it (PROTOCOL 3). `date` is the UTC day, `os` is
 * Node's platform name. A fact that cannot be found is absent and matches nothing.
 *
 * @param cwd the folder the server runs in
 */
export function machineFacts(cwd: string = process.cwd(), now: number = Date.now()): Facts {
  const user = userName()
  const shell = process.env['SHELL'] ?? process.env['ComSpec']
  return {
    hostname: hostname(),
    os: platform(),
    cwd,
    home: homedir(),
    date: new Date(now).toISOString().slice(0, 10),
    'time-ms': String(now),
    'node-version': process.version,
    ...(shell !== undefined && shell !== '' && { shell }),
    ...(user !== undefined && { user }),
  }
}

/** A container may run under a number nobody gave a name. */
function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}
