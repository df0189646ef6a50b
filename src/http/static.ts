import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Counted } from './metrics/answers.js'
import type { Readers } from './privacy.js'
import { HttpProblem } from './problems.js'
import { openDocuments } from './static/find.js'
import type { Place } from './static/places.js'
import { sendDocument, sendPreflight } from './static/send.js'
import type { Rooms } from './static/sources.js'

export interface StaticReads {
  /**
   * Answers immutable and moving documents; false when the path is not one of them. At once where the bytes are
   * finished; what goes wrong rejects, and is never thrown.
   */
  answer(req: IncomingMessage, res: ServerResponse): boolean | Promise<boolean>
  /** A bundle that was built anew: published again under another key, and approved again. */
  forget(digest: string): void
  /** Stops following the log. */
  close(): void
}

export interface StaticOptions extends Rooms {
  /** Who may read what; anyone everything when absent. */
  readonly readers?: Pick<Readers, 'isPrivate' | 'assertReader'>
  readonly onAnswer?: (answer: Counted) => void
}

/**
 * The reads that need no Express: bundles, tiles, roots, revocations, proofs, and the status. What was finished before
 * leaves at once, as bytes and headers that were made once.
 */
export function openStaticReads({ readers, onAnswer, ...rooms }: StaticOptions): StaticReads {
  const documents = openDocuments(rooms)
  const isPrivate = readers?.isPrivate ?? false

  const count = (req: IncomingMessage, route: string, status: number, started: number): void => {
    onAnswer?.({ route, method: req.method ?? '', status, seconds: (performance.now() - started) / 1000 })
  }
  const answerPlace = async (req: IncomingMessage, res: ServerResponse, place: Place): Promise<number> => {
    if (req.method === 'OPTIONS') return sendPreflight(res)
    const entering = isPrivate ? readers?.assertReader(req, place.path) : undefined
    await entering
    const found = await documents.find(place)
    if (found === undefined) throw new HttpProblem('not-found', 'there is nothing here')
    return sendDocument(req, res, found, entering !== undefined)
  }
  const answerSlowly = async (req: IncomingMessage, res: ServerResponse, started: number) => {
    const place = documents.place(req.url ?? '')
    // A browser may ask before it sends a token: nothing here tells it that pages of any origin may read.
    if (place === undefined || (isPrivate && req.method === 'OPTIONS')) return false
    try {
      count(req, place.route, await answerPlace(req, res, place), started)
    } catch (cause) {
      // Whoever catches this knows which status it is.
      res.once('finish', () => count(req, place.route, res.statusCode, started))
      throw cause
    }
    return true
  }
  return {
    answer(req, res) {
      const { method } = req
      if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') return false
      const started = onAnswer === undefined ? 0 : performance.now()
      const kept = isPrivate || method === 'OPTIONS' ? undefined : documents.kept(req.url ?? '')
      if (kept === undefined) return answerSlowly(req, res, started)
      count(req, kept.route, sendDocument(req, res, kept), started)
      return true
    },
    forget: (digest) => documents.forget(digest),
    close: () => documents.close(),
  }
}
