import {
  assertDistinctKeys,
  CountersignError,
  parseVerifierKey,
  refuse,
  type PinnedLog,
  type VerifierKey,
} from '../core/index.js'

/** Most logs a witness keeps. */
export const MAX_LOGS = 4096
/** Longest file of logs, in UTF-16 code units. */
export const MAX_LOGS_LENGTH = 4 * 1024 * 1024

/**
 * Reads a file of logs: tlog-policy lines `log VKEY [URL]`, comments and blank lines; the origin is the name of
 * the key. Throws `policy-malformed` and names the line.
 */
export function parseLogs(text: string): PinnedLog[] {
  if (text.length > MAX_LOGS_LENGTH) refuse('input-too-large', 'the list of logs is too large')
  return text.split('\n').flatMap((line, i) => readLine(line, i + 1))
}

function readLine(line: string, number: number): PinnedLog[] {
  // Only space and tab separate, and what an editor for another system leaves behind is an error, not a blank.
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) malformed('a control character', number)
  const [keyword, vkey, , ...more] = line.split(/[ \t]+/).filter((field) => field !== '')
  if (keyword === undefined || keyword.startsWith('#')) return []
  if (keyword !== 'log' || vkey === undefined || more.length > 0) malformed('not a line `log VKEY`', number)
  return [pinLog(vkey, number)]
}

/** The log of a verifier key. Throws `policy-malformed`. */
export function pinLog(vkey: string, line?: number): PinnedLog {
  try {
    const key = parseVerifierKey(vkey)
    if (key.type === 1) return { origin: key.name, key }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    malformed(`not the key of a log: ${cause.message}`, line, cause)
  }
  return malformed('a log signs with a key of type 1', line)
}

function malformed(message: string, line?: number, cause?: unknown): never {
  const where = line === undefined ? {} : { line }
  throw new CountersignError('policy-malformed', message, where, cause === undefined ? {} : { cause })
}

/**
 * The logs by origin. Throws `policy-malformed` for two logs of one origin or one key, and for a log that has
 * the witness's own name or key: what the one signs could then pass for what the other says.
 */
export function indexLogs(witness: VerifierKey, logs: readonly PinnedLog[]): ReadonlyMap<string, PinnedLog> {
  if (logs.length > MAX_LOGS) refuse('policy-malformed', 'too many logs', { most: MAX_LOGS })
  assertDistinctKeys([witness, ...logs.map(({ key }) => key)])
  const index = new Map<string, PinnedLog>()
  for (const log of logs) {
    const isOwn = log.origin === witness.name || log.key.name === witness.name
    if (isOwn || log.key.type !== 1) malformed('a log with the name or type of key of the witness')
    if (index.has(log.origin)) malformed('one log is named twice')
    index.set(log.origin, log)
  }
  return index
}
