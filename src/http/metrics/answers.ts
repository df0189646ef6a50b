import { Counter, Histogram, type Registry } from 'prom-client'

/** One answer, as it is counted: `route` is the path's pattern, never what a caller wrote. */
export interface Counted {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'])
/** A stream lasts as long as its reader stays: that says nothing of how quick we are. */
const STREAMS: ReadonlySet<string> = new Set(['/v1/events'])
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const
const DURATION = 'countersign_http_request_duration_seconds'
const HELP = 'From the headers of a request to the end of its answer, by route and method.'

/** The answers of one route to one method. */
interface Series {
  readonly labels: { readonly route: string; readonly method: string }
  /** By the first digit of their status. */
  readonly classes: number[]
  /** How many were within each bucket and in no smaller one; those beyond the last are in none. */
  readonly within: number[]
  count: number
  seconds: number
}

/**
 * Counts answers as plain numbers, and makes metrics of them when somebody asks: to look for labels at every answer
 * costs as much as a tenth of what a finished document does.
 */
export function openAnswers(registry: Registry): (answer: Counted) => void {
  const routes = new Map<string, Map<string, Series>>()
  const all = (): Series[] => [...routes.values()].flatMap((methods) => [...methods.values()])
  addRequests(registry, all)
  new Durations(registry, all)
  return ({ route, method: given, status, seconds }) => {
    const method = METHODS.has(given) ? given : 'other'
    let methods = routes.get(route)
    if (methods === undefined) routes.set(route, (methods = new Map<string, Series>()))
    let series = methods.get(method)
    if (series === undefined) methods.set(method, (series = emptySeries(route, method)))
    add(series.classes, Math.floor(status / 100))
    series.count++
    series.seconds += seconds
    add(series.within, bucketOf(seconds))
  }
}

function emptySeries(route: string, method: string): Series {
  const zeros = (length: number): number[] => Array.from({ length }, () => 0)
  return { labels: { route, method }, classes: zeros(6), within: zeros(BUCKETS.length), count: 0, seconds: 0 }
}

/** What is in none of them is left out. */
function add(counts: number[], at: number): void {
  const count = counts[at]
  if (count !== undefined) counts[at] = count + 1
}

function bucketOf(seconds: number): number {
  let at = 0
  while (seconds > (BUCKETS[at] ?? Number.POSITIVE_INFINITY)) at++
  return at
}

function addRequests(registry: Registry, all: () => readonly Series[]): void {
  const requests: Counter = new Counter({
    name: 'countersign_http_requests_total',
    help: 'Requests answered, by route, method and class of status.',
    labelNames: ['route', 'method', 'status'],
    registers: [registry],
    collect() {
      requests.reset()
      for (const { labels, classes } of all()) {
        for (const [digit, count] of classes.entries()) {
          if (count > 0) requests.inc({ ...labels, status: `${digit}xx` }, count)
        }
      }
    },
  })
}

/** A histogram that has counts of its own only when it is read. */
class Durations extends Histogram<'route' | 'method'> {
  readonly #all: () => readonly Series[]

  constructor(registry: Registry, all: () => readonly Series[]) {
    super({
      name: DURATION,
      help: HELP,
      labelNames: ['route', 'method'],
      buckets: [...BUCKETS],
      registers: [registry],
    })
    this.#all = all
  }

  /** What both `get` and the registry's text are made from; a histogram takes observations alone, one at a time. */
  getForPromString() {
    const timed = this.#all().filter(({ labels }) => !STREAMS.has(labels.route))
    const values = timed.flatMap(valuesOf)
    return Promise.resolve({ name: DURATION, help: HELP, type: 'histogram', aggregator: 'sum', values })
  }
}

function valuesOf({ labels: sharedLabels, within, count, seconds }: Series) {
  const line = (part: string, labels: object, value: number) => ({
    ...{ metricName: `${DURATION}_${part}`, labels, sharedLabels, value },
  })
  let below = 0
  return [
    ...BUCKETS.map((le, at) => line('bucket', { le }, (below += within[at] ?? 0))),
    line('bucket', { le: '+Inf' }, count),
    line('sum', {}, seconds),
    line('count', {}, count),
  ]
}
