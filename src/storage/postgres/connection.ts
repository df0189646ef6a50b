import pg from 'pg'
import { StoreError } from '../errors.js'
import { plainBytes } from './desk.js'

/** How the database is used, with everything decided. */
export interface Settings {
  /** A secret: it may hold a password. */
  readonly url: string
  readonly connections: number
  readonly batchWaitMs: number
  readonly idleInTransactionMs: number
  readonly statementMs: number
  readonly connectMs: number
}

const BOOL = 16
const BYTEA = 17
const INT8 = 20
const INT2 = 21
const INT4 = 23

/** What every connection of this process has in common; nothing that a transaction pooler would not pass on. */
export function connectionOptions({ url, connectMs }: Pick<Settings, 'url' | 'connectMs'>): pg.ClientConfig {
  assertUrl(url)
  return {
    connectionString: url,
    application_name: 'countersign-registry',
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Statements that wait for nothing of each other share a way there and back.
    pipeline: true,
    types: { getTypeParser },
  }
}

/** The driver would say the whole text, and the password in it. */
function assertUrl(url: string): void {
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new StoreError('io', 'the URL of the database is not one of PostgreSQL')
  }
}

/** Of the types that our statements answer with; whatever else there is stays the text that the server says. */
const PARSERS = new Map<number, (value: string) => unknown>([
  [BOOL, (value) => value === 't'],
  [BYTEA, parseBytes],
  [INT2, parseInteger],
  [INT4, parseInteger],
  [INT8, parseInteger],
])

/** Only text comes: nothing here asks for the binary format. */
function getTypeParser(oid: number): (value: string) => unknown {
  return PARSERS.get(oid) ?? asText
}

function asText(value: string): string {
  return value
}

/** As `\x` and digits; a database can be set to another way of saying them, which would be read as other bytes. */
function parseBytes(value: string): Uint8Array {
  if (!value.startsWith('\\x')) throw new StoreError('io', 'bytea_output of the database is not hex')
  return plainBytes(Buffer.from(value.slice(2), 'hex'))
}

function parseInteger(value: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new StoreError('io', 'the database holds a number that this program cannot')
}
