/**
 * A raw JSON-RPC server over stdio that says exactly what its script tells it to, byte for byte, so that it can lie in
 * ways no SDK would let it. A process of its own: its arguments are the file of its script and that of its log.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface HostileScript {
  /**
   * Lines to write for each request, by method or by `method?cursor=C`. The n-th request gets the n-th answer, the last
   * one stays. `$ID` becomes the request's id, `$N` the number of requests of this method so far.
   */
  readonly answers: Readonly<Record<string, readonly (readonly string[])[]>>
}

interface Request {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly cursor?: string; readonly name?: string }
}

const NOT_FOUND = ['{"jsonrpc":"2.0","id":$ID,"error":{"code":-32601,"message":"Method not found"}}']

function main(scriptFile: string, logFile: string): void {
  const script = JSON.parse(readFileSync(scriptFile, 'utf8')) as HostileScript
  const counts = new Map<string, number>()
  appendFileSync(logFile, '{"method":"#started"}\n')
  createInterface({ input: process.stdin }).on('line', (line) => {
    appendFileSync(logFile, `${line}\n`)
    const request = JSON.parse(line) as Request
    if (request.method === undefined || request.id === undefined) return
    for (const text of answer(script, request, request.method, counts)) {
      process.stdout.write(
        `${text.replaceAll('$ID', JSON.stringify(request.id)).replaceAll('$N', String(counts.get(request.method)))}\n`,
      )
    }
  })
}

function answer(
  script: HostileScript,
  { params }: Request,
  method: string,
  counts: Map<string, number>,
): readonly string[] {
  counts.set(method, (counts.get(method) ?? 0) + 1)
  const keys = params?.cursor === undefined ? [method] : [`${method}?cursor=${params.cursor}`, method]
  const key = keys.find((one) => script.answers[one] !== undefined)
  if (key === undefined) return NOT_FOUND
  const answers = script.answers[key] ?? []
  const turn = (counts.get(`turn ${key}`) ?? 0) + 1
  counts.set(`turn ${key}`, turn)
  return answers[Math.min(turn, answers.length) - 1] ?? NOT_FOUND
}

main(String(process.argv[2]), String(process.argv[3]))
