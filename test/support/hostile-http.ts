import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { LONG_MS } from './http-raw.js'
import { ScriptRun, type Era, type HostileScript, type ScriptedRequest } from './hostile-script.js'

/** Answers a request by hand where it returns true, to lie about HTTP itself. */
export type RawAnswer = (
  asked: ScriptedRequest,
  response: ServerResponse,
  lines: string[],
  headers: IncomingHttpHeaders,
) => boolean

/**
 * The hostile server over Streamable HTTP, in this process. One line is a JSON body, several are an event stream: byte
 * for byte what the script says.
 *
 * @param log every body that arrives
 */
export async function listenHostile(
  script: HostileScript,
  era: Era,
  log: (body: string) => void,
  raw: RawAnswer = () => false,
): Promise<URL> {
  const run = new ScriptRun(script, era)
  log('{"method":"#started"}')
  const server = createServer({ keepAliveTimeout: LONG_MS }, (request, response) => {
    // Neither an event stream of its own nor a session to end.
    if (request.method !== 'POST') return void response.writeHead(405).end()
    const hear = (body: string): void => {
      log(body)
      const asked = JSON.parse(body) as ScriptedRequest
      const lines = run.answer(asked)
      if (!raw(asked, response, lines, request.headers)) answer(response, lines)
    }
    // Who hangs up before its request is whole has asked nothing.
    void readBody(request).then(hear, () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
}

function answer(response: ServerResponse, lines: readonly string[]): void {
  const [only, ...more] = lines
  if (only === undefined) return void response.writeHead(202).end()
  const isStream = more.length > 0
  response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' })
  response.end(isStream ? lines.map(sseEvent).join('') : only)
}

export function sseEvent(line: string): string {
  return `event: message\ndata: ${line}\n\n`
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
