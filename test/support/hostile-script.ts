/** What a raw JSON-RPC server says: texts, byte for byte, so that it can lie in ways no SDK would let it. */
export interface HostileScript {
  /**
   * Lines to write for each request, by method or by `method?cursor=C`. The n-th request gets the n-th answer, the last
   * one stays. `$ID` becomes the request's id, `$N` the number of requests of this method so far.
   */
  readonly answers: Readonly<Record<string, readonly (readonly string[])[]>>
}

export type Era = 'legacy' | 'modern'

export interface ScriptedRequest {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly cursor?: string; readonly name?: string }
}

const NOT_FOUND = ['{"jsonrpc":"2.0","id":$ID,"error":{"code":-32601,"message":"Method not found"}}']
const RESULT = '{"jsonrpc":"2.0","id":$ID,"result":{'
const MODERN = '"resultType":"complete","ttlMs":0,"cacheScope":"private"'

/** One run of a script: counts what was asked. In the modern era results get what that era requires of them. */
export class ScriptRun {
  readonly #answers: HostileScript['answers']
  readonly #era: Era
  readonly #counts = new Map<string, number>()

  constructor({ answers }: HostileScript, era: Era) {
    this.#answers = era === 'modern' ? withDiscovery(answers) : answers
    this.#era = era
  }

  /** The lines to say now; none for what is no request. */
  answer({ id, method, params }: ScriptedRequest): string[] {
    if (id === undefined || method === undefined) return []
    const asked = this.#count(method)
    const lines = this.#linesFor(method, params?.cursor)
    return lines.map((line) =>
      (this.#era === 'modern' ? modernise(line) : line)
        .replaceAll('$ID', JSON.stringify(id))
        .replaceAll('$N', String(asked)),
    )
  }

  #linesFor(method: string, cursor: string | undefined): readonly string[] {
    const keys = cursor === undefined ? [method] : [`${method}?cursor=${cursor}`, method]
    const key = keys.find((one) => this.#answers[one] !== undefined)
    if (key === undefined) return NOT_FOUND
    const answers = this.#answers[key] ?? []
    const turn = this.#count(`turn ${key}`)
    return answers[Math.min(turn, answers.length) - 1] ?? NOT_FOUND
  }

  #count(key: string): number {
    const next = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, next)
    return next
  }
}

/** The server's `initialize` in the words of the modern era, which has `server/discover` in its place. */
function withDiscovery(answers: HostileScript['answers']): HostileScript['answers'] {
  const { initialize = [], ...rest } = answers
  const discover = initialize.map((lines) =>
    lines.map((line) =>
      line.startsWith(RESULT) ? line.replace(RESULT, `${RESULT}"supportedVersions":["2026-07-28"],`) : line,
    ),
  )
  return { 'server/discover': discover, ...rest }
}

/** Members at the front, so that what the script says itself stays as it is, and wins. */
function modernise(line: string): string {
  if (!line.startsWith(RESULT) || line.startsWith(`${RESULT}"resultType"`)) return line
  const rest = line.slice(RESULT.length)
  return `${RESULT}${MODERN}${rest.startsWith('}') ? '' : ','}${rest}`
}
