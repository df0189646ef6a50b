const TRY_MS = 30_000
const TRIES = 3
const MAX_PAUSE_MS = 60_000

/** A `fetch` that waits where it is asked to, and counts. */
export interface PatientFetch {
  readonly fetch: typeof fetch
  requests(): number
}

/**
 * A registry that is busy (429, 503) or gone for a moment is asked again, when it says or a little later.
 * @param signal ends every request and every pause
 */
export function patientFetch(signal: AbortSignal, send: typeof fetch = fetch): PatientFetch {
  let requests = 0
  const once = (input: Parameters<typeof fetch>[0], init?: RequestInit): Promise<Response> => {
    requests += 1
    const ends = [signal, AbortSignal.timeout(TRY_MS), ...(init?.signal ? [init.signal] : [])]
    return send(input, { ...init, signal: AbortSignal.any(ends) })
  }
  const patient: typeof fetch = async (input, init) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await once(input, init)
        if (attempt === TRIES || !isBusy(response)) return response
        await response.body?.cancel()
        await pause(askedFor(response) ?? 500 * 2 ** attempt, signal)
      } catch (error) {
        if (attempt === TRIES || signal.aborted || init?.signal?.aborted === true) throw error
        await pause(250 * 2 ** attempt, signal)
      }
    }
  }
  return { fetch: patient, requests: () => requests }
}

function isBusy({ status }: Response): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504
}

/** `Retry-After` in seconds; what names a date, or more than a minute, is not waited for. */
function askedFor(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? 'none')
  return Number.isInteger(seconds) && seconds >= 0 && seconds * 1000 <= MAX_PAUSE_MS
    ? seconds * 1000
    : undefined
}

/** @throws the signal's reason */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** Loads a few items ahead of the one that is worked on, and hands them out in order. */
export async function* inOrder<Item, Loaded>(
  items: Iterable<Item>,
  load: (item: Item) => Promise<Loaded>,
  width = 8,
): AsyncGenerator<Loaded> {
  const running: Promise<Loaded>[] = []
  for (const item of items) {
    const next = load(item)
    // Who stops early leaves the others unawaited: their failures are nobody's.
    next.catch(() => undefined)
    running.push(next)
    if (running.length >= width) yield await (running.shift() as Promise<Loaded>)
  }
  for (const next of running) yield await next
}
