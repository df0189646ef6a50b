import { refuse } from '../core/index.js'
import { DEFAULT_HOST_POLICY } from '../host-policy.js'
import type { Review, ReviewedItem, Withheld } from '../review.js'
import { listServer, type Listing } from '../publish/index.js'
import { explainVerdict } from '../verdict.js'
import type { Context, Input } from './context.js'
import { Ended, EXIT, Refused } from './failures.js'
import { openCliHost } from './host.js'
import { bold, dim, green, red, yellow, type Line } from './output.js'
import { parseReference } from './reference.js'
import { captureOptions, launchSlot, packageQuery, readTarget, type TargetOptions } from './target.js'
import { witnessLine } from './witnesses.js'

interface Options extends TargetOptions {
  readonly server?: string
  readonly pin?: boolean
}

/** `countersign check`: what the guard would say about this server, once, without a host. */
export async function check(context: Context, { args, options }: Input<Options>): Promise<void> {
  const target = readTarget(args, options)
  const named = options.server === undefined ? {} : parseReference(options.server)
  const policy = { ...DEFAULT_HOST_POLICY, unknownServers: options.pin === true ? 'pin' : 'block' } as const
  const host = await openCliHost(context, { policy })
  try {
    const listing = await listServer(target, captureOptions(context, options))
    const found = packageQuery(args)
    const review = await host.review({
      ...named,
      slot: options.url ?? launchSlot(args),
      ...(found !== undefined && { package: found }),
      ...(options.url !== undefined && { url: options.url }),
      ...listing,
    })
    printReview(context, listing, review)
  } finally {
    await host.close()
  }
}

interface Verdict {
  readonly kind: Withheld['kind']
  readonly name: string
  readonly verdict: string
  readonly digest?: string
  readonly sentence?: string
  readonly remedy?: string
  readonly dialect?: boolean
  readonly variant?: string
  readonly detail?: Withheld['detail']
}

function printReview(context: Context, listing: Listing, review: Review): void {
  const items = [...passed(review), ...withheldItems(review), ...silent(listing, review)]
  if (items.length === 0) refuse('capture-failed', 'the server offers nothing to check')
  const { manifest, freshness, verdict, pin, firstUse, independentWitnesses } = review
  const document = {
    verdict,
    server: manifest?.server ?? null,
    version: manifest?.version ?? null,
    manifest: manifest?.digest ?? null,
    pinned: pin === true,
    firstUse,
    independentWitnesses,
    freshness,
    items,
  }
  const bad = items.filter((item) => item.verdict !== 'verified' && item.verdict !== 'pinned')
  context.out.result(document, [
    ...headLines(review),
    ...items.flatMap(verdictLines),
    '',
    sumLine(items.length, bad.length, pin === true),
    ...(manifest === undefined ? [] : [witnessLine(independentWitnesses)]),
  ])
  if (wholeOf(review)?.code === 'registry-unreachable') throw new Ended(EXIT.unreachable)
  if (bad.length > 0) throw new Refused('something is withheld')
}

/** Why nothing of the server gets through, when that is so. */
function wholeOf(review: Review): Withheld | undefined {
  return review.withheld.find((one) => one.kind === 'server')
}

function passed(review: Review): Verdict[] {
  const verdict = review.pin === true ? 'pinned' : review.verdict
  const pass =
    (kind: Verdict['kind']) =>
    (item: ReviewedItem): Verdict => ({
      kind,
      name: item.name,
      verdict,
      digest: item.digest,
      ...(item.dialect && { dialect: true }),
      ...(item.variant !== undefined && { variant: item.variant }),
    })
  return [
    ...review.allowed.map(pass('tool')),
    ...(review.instructions === undefined
      ? []
      : [{ kind: 'instructions', name: 'instructions', verdict } as const]),
    ...review.prompts.map(pass('prompt')),
    ...review.resourceTemplates.map(pass('template')),
  ]
}

/** What is withheld for its own reason explains itself; what falls with its server is only named. */
function withheldItems(review: Review): Verdict[] {
  const whole = wholeOf(review)
  return review.withheld
    .filter((one) => one !== whole)
    .map(({ kind, name, code, detail }): Verdict => {
      const own = whole?.code !== code
      return { kind, name, verdict: code, ...(own && explainVerdict(code, detail)), detail }
    })
}

/** A server that is refused as a whole still gets a line for each of its tools. */
function silent(listing: Listing, review: Review): Verdict[] {
  const whole = wholeOf(review)
  if (whole === undefined) return []
  const named = new Set(review.withheld.filter((one) => one.kind === 'tool').map((one) => one.name))
  return listing.tools
    .map((tool) => (typeof tool['name'] === 'string' ? tool['name'] : ''))
    .filter((name) => !named.has(name))
    .map((name) => ({ kind: 'tool', name, verdict: whole.code }))
}

function headLines(review: Review): Line[] {
  const { manifest, pin, verdict } = review
  if (manifest !== undefined) {
    const by = `${manifest.role}, approved at log index ${manifest.approveIndex}`
    return [[bold(`${manifest.server} ${manifest.version}`), dim(`  ${by}  ${manifest.digest}`)]]
  }
  if (pin === true)
    return [[yellow('pinned'), ' nobody signed this server; it is held to what it showed first']]
  const whole = wholeOf(review)
  if (whole === undefined) return [[red(verdict), ' nobody signed this server']]
  const { sentence, remedy } = explainVerdict(whole.code, whole.detail)
  return [
    [red(whole.code), ` ${sentence}`],
    ['  ', remedy],
  ]
}

function verdictLines(item: Verdict): Line[] {
  const paint = item.verdict === 'verified' ? green : item.verdict === 'pinned' ? yellow : red
  const name = item.kind === item.name ? item.kind : `${item.kind} ${item.name}`
  const notes = [item.dialect === true ? 'dialect' : '', item.variant ?? '']
    .filter((note) => note !== '')
    .join(' ')
  const first: Line = [
    '  ',
    paint(item.verdict.padEnd(20)),
    ' ',
    name,
    notes === '' ? '' : dim(`  (${notes})`),
  ]
  if (item.sentence === undefined) return [first]
  return [first, [' '.repeat(23), dim(`${item.sentence} ${item.remedy ?? ''}`)]]
}

function sumLine(all: number, bad: number, pinned: boolean): Line {
  if (bad > 0) return [red(`${bad} withheld`), ` of ${all}`]
  return pinned ? [yellow('all pinned'), ` ${all} of ${all}`] : [green('all verified'), ` ${all} of ${all}`]
}
