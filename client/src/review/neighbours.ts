import { answerOf, questionId } from '../consent/question.js'
import type { Question } from '../consent/types.js'
import { CountersignError, digestOfText, type Manifest } from '../core/index.js'
import type { ServerKey } from '../memory.js'
import { askPerson, detailOf, type Asked } from './asking.js'
import { labelOf } from './changes.js'
import { withhold, type Judgements } from './items.js'
import { pinName } from './pin.js'
import { judgeNeighbours } from './shadow.js'
import type { Newcomer, Objection, ReviewInput, ReviewPorts } from './types.js'

/** What of a newcomer the review knows; the rest stands in its input. */
export interface Beside extends Pick<Newcomer, 'server' | 'approved' | 'to'> {
  readonly since: number | undefined
  /** Which memory keeps what is asked about it. */
  readonly key: ServerKey
  /** What a person is shown; absent when no manifest holds it. */
  readonly manifest: Manifest | undefined
}

interface Judged {
  readonly judged: Judgements
  readonly questions: readonly Question[]
}

/** Another process may remember another server at any time; its own review looks at this one at once. */
const KNOWN_MS = 30_000

/** As many as questions are kept: one more would push another one out. Other objections wait unasked for their turn. */
const MAX_WAITING = 16

/**
 * A server beside the others of this host (A14, A15): what a person did not agree to is withheld.
 *
 * @throws CountersignError `name-confusable` when all of it is
 */
export async function judgeBeside(
  input: ReviewInput,
  beside: Beside,
  judged: Judgements,
  ports: ReviewPorts,
): Promise<Judged> {
  let left = judged
  let waiting = 0
  const questions: Question[] = []
  for (const objection of await objectionsTo(input, beside, judged, ports)) {
    if (objection.reaction === 'record') continue
    const asked = await askAboutObjection(input, beside, objection, judged, waiting < MAX_WAITING, ports)
    if (asked?.answer === 'agreed') continue
    if (asked?.answer === 'waiting') waiting += 1
    const detail = { ...(asked && detailOf(asked)), ...objection.detail }
    if (objection.items.length === 0) {
      throw new CountersignError(objection.code, 'it can be taken for another server of this host', detail)
    }
    left = withoutItems(left, objection, detail)
    if (asked !== undefined) questions.push(asked.question)
  }
  return { judged: left, questions }
}

async function objectionsTo(
  { slot, package: packageText, url }: ReviewInput,
  { server, approved, since, to }: Beside,
  { held }: Judgements,
  ports: ReviewPorts,
): Promise<readonly Objection[]> {
  const { uniqueToolNames } = ports.policy
  const mark = digestOfText(
    JSON.stringify([server, approved, uniqueToolNames, held.map(({ match }) => match.digest)]),
  )
  const known = ports.neighbours.get(slot)
  const isFresh = known?.mark === mark && Math.abs(ports.now() - known.at) < KNOWN_MS
  if (isFresh && since !== undefined) return known.objections
  const newcomer: Newcomer = {
    slot,
    ...(server !== undefined && { server }),
    package: packageText,
    url,
    approved,
    ...(since !== undefined && { since }),
    items: held.map(({ item }) => item),
    to,
  }
  const remembered = await Promise.all(ports.identities.map((one) => ports.memory.listServers(one)))
  const objections = judgeNeighbours(newcomer, remembered.flat(), ports.policy)
  ports.neighbours.set(slot, { mark, at: ports.now(), objections })
  tellRecorded(slot, server ?? slot, objections, ports)
  return objections
}

function tellRecorded(
  slot: string,
  name: string,
  objections: readonly Objection[],
  { emit }: ReviewPorts,
): void {
  for (const { reaction, detail, items } of objections) {
    if (reaction !== 'record') continue
    const names = items.slice(0, 16).map(({ kind, name }) => labelOf(kind, name))
    emit({ type: 'shadowed', slot, name, detail: { items: names, ...detail } })
  }
}

/** Agreed to are the two servers and what is objected to; where that is words, these very words. */
async function askAboutObjection(
  { slot }: ReviewInput,
  { server = pinName(slot), key, to, manifest }: Beside,
  { code, items, from, detail }: Objection,
  { held }: Judgements,
  mayAsk: boolean,
  ports: ReviewPorts,
): Promise<Asked | undefined> {
  if (manifest === undefined) return undefined
  const isNamed = isAmong(items)
  const words = held.filter(isNamed).map(({ match }) => match.digest)
  const binding = detail['why'] === 'refers' ? words.sort().join(' ') : ''
  const labels = items.map(({ kind, name }) => labelOf(kind, name))
  const draft = { reason: code, server, slot, from, to, class: 'dangerous' as const, items: labels, binding }
  const isOpen = async (): Promise<boolean> =>
    answerOf(await ports.memory.readServer(key), questionId(draft)) === 'waiting'
  if (!mayAsk && (await isOpen())) return undefined
  return askPerson(ports, key, draft, { after: manifest })
}

/** Thousands of items, and as many that are objected to, for each of the neighbours. */
function isAmong(items: Objection['items']): (one: Judgements['held'][number]) => boolean {
  const labels = new Set(items.map(({ kind, name }) => `${kind} ${name}`))
  return ({ item }) => labels.has(`${item.kind} ${item.name}`)
}

function withoutItems(
  judged: Judgements,
  { code, items }: Objection,
  detail: Objection['detail'],
): Judgements {
  const isNamed = isAmong(items)
  const waits = judged.held.filter(isNamed)
  return {
    held: judged.held.filter((one) => !isNamed(one)),
    withheld: [
      ...judged.withheld,
      ...waits.map(({ item }) => withhold(item.kind, item.name, code, { step: 11, ...detail })),
    ],
  }
}
