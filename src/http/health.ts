import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from '../publishers/context.js'

/** Why nobody should be sent here. */
export type Unready = 'closing' | 'database' | 'log-stopped' | 'not-published'

export interface Health {
  /** `/healthz`: the process lives. `/readyz`: it can answer. False for every other path. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  /** From now on it is not ready. */
  close(): void
}

/** Looked for before anything else, at every request. */
const PATH = /^\/(?:healthz|readyz)(?=\?|$)/
/** A database that takes longer would hold up whoever is sent here. */
const DATABASE_MS = 2000

export function openHealth(
  context: Pick<Context, 'store' | 'ledger'>,
  databaseMs: number = DATABASE_MS,
): Health {
  let isClosing = false
  let look: Promise<Unready[]> | undefined
  /** However many ask at once, the database is asked once. */
  const check = (): Promise<Unready[]> => {
    look ??= unready(context, databaseMs).finally(() => (look = undefined))
    return look
  }
  const tellReady = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const reasons: Unready[] = isClosing ? ['closing'] : await check()
    if (reasons.length === 0) tell(req, res, 200, { status: 'ready' })
    else tell(req, res, 503, { status: 'unready', reasons })
  }
  return {
    answer(req, res) {
      if (req.method !== 'GET' && req.method !== 'HEAD') return false
      const path = PATH.exec(req.url ?? '')?.[0]
      if (path === '/healthz') tell(req, res, 200, { status: 'ok' })
      else if (path === '/readyz') void tellReady(req, res)
      else return false
      return true
    },
    close: () => (isClosing = true),
  }
}

/** Never rejects: what cannot be found out is a reason. */
async function unready(
  { store, ledger }: Pick<Context, 'store' | 'ledger'>,
  databaseMs: number,
): Promise<Unready[]> {
  const reasons: Unready[] = []
  if (!(await answersInTime(() => store.readLogState(), databaseMs))) reasons.push('database')
  if (ledger.stopped() !== undefined) reasons.push('log-stopped')
  if (ledger.publishedSize() === 0) reasons.push('not-published')
  return reasons
}

async function answersInTime(ask: () => Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)))
  const asked = ask().then(
    () => true,
    () => false,
  )
  return Promise.race([asked, late]).finally(() => clearTimeout(timer))
}

function tell(req: IncomingMessage, res: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body))
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(status === 503 && { 'Retry-After': '2' }),
  })
  res.end(req.method === 'HEAD' ? undefined : bytes)
}
