import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CountersignError, openNote, parseVerifierKey, sha256HexOfText } from 'countersign/core'
import { openWitness, type RunningWitness, type WitnessOptions } from '../../client/src/witness/index.js'
import { scriptedLog, tempFolder, WITNESS_NAME, type TempFolder } from './support.js'

const log = scriptedLog('example.com/log')
const CHECKPOINT = `/${sha256HexOfText(log.origin)}/checkpoint`

let folder: TempFolder
let witness: RunningWitness
beforeEach(() => {
  folder = tempFolder()
})
afterEach(async () => {
  await witness.close(0)
  folder.remove()
})

async function start(change: Partial<WitnessOptions> = {}): Promise<RunningWitness> {
  witness = await openWitness({ key: folder.path('w.key'), name: WITNESS_NAME, logs: [log.vkey], ...change })
  return witness
}

function post(body: Uint8Array | string | ReadableStream): Promise<Response> {
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit
  return fetch(`${witness.url}/add-checkpoint`, init)
}

describe('over HTTP', () => {
  it('cosigns, says which size it knows, and shows the newest note', async () => {
    const { url, vkey } = await start()
    expect((await fetch(url + CHECKPOINT)).status).toBe(404)
    const signed = await post(log.request(0, 5))
    expect(signed.status).toBe(200)
    const line = await signed.text()
    const late = await post(log.request(0, 5))
    expect([late.status, late.headers.get('content-type'), await late.text()]).toEqual([
      409,
      'text/x.tlog.size',
      '5\n',
    ])
    const shown = await fetch(url + CHECKPOINT)
    expect(shown.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const note = await shown.text()
    expect(note).toBe(log.note(5) + line)
    expect(openNote(note, [parseVerifierKey(vkey), log.key]).verified).toHaveLength(2)
  })

  it('other refusals are no text/x.tlog.size', async () => {
    await start()
    for (const [body, status] of [
      ['nonsense', 400],
      [scriptedLog('example.com/none').request(0, 1), 404],
      [scriptedLog(log.origin, { seed: 7 }).request(0, 1), 403],
    ] as const) {
      const response = await post(body)
      expect([response.status, response.headers.get('content-type')]).toEqual([
        status,
        'text/plain; charset=utf-8',
      ])
    }
  })

  it.each([
    ['GET', '/', 200],
    ['HEAD', '/', 200],
    ['POST', '/', 405],
    ['GET', '/add-checkpoint', 405],
    ['PUT', '/add-checkpoint', 405],
    ['GET', '/add-checkpoint/', 404],
    ['POST', '//add-checkpoint', 405],
    ['GET', CHECKPOINT.toUpperCase(), 404],
    ['GET', `${CHECKPOINT}/`, 404],
    ['GET', `/${'0'.repeat(64)}/checkpoint`, 404],
    ['GET', '/%2e%2e/w.key', 404],
    ['GET', '/w.key', 404],
  ])('%s %s: %i', async (method, path, status) => {
    const { url } = await start()
    expect((await fetch(url + path, { method })).status).toBe(status)
  })

  it('reads 128 KiB and not a byte more', async () => {
    await start()
    expect((await post('x'.repeat(128 * 1024))).status).toBe(400)
    expect((await post('x'.repeat(128 * 1024 + 1))).status).toBe(413)
    const chunk = new TextEncoder().encode('x'.repeat(64 * 1024))
    const chunked = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 3; i++) controller.enqueue(chunk)
        controller.close()
      },
    })
    expect((await post(chunked)).status).toBe(413)
    expect((await post(log.request(0, 1))).status).toBe(200)
  })

  it('cuts off what never ends', async () => {
    const { url } = await start()
    const sender = request(`${url}/add-checkpoint`, { method: 'POST' })
    const over = new Promise((resolve) => sender.once('error', resolve).once('close', resolve))
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const send = (): void => {
      if (!sender.destroyed) sender.write(chunk, () => setImmediate(send))
    }
    send()
    await over
    sender.destroy()
    expect((await post(log.request(0, 1))).status).toBe(200)
  })
})

describe('slow clients', () => {
  const limits = { requestMs: 200, idleMs: 200, checkMs: 50 }
  const head = 'POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n'

  it.each<[string, string]>([
    ['says nothing', ''],
    ['stops within the headers', head],
    ['stops before the body', `${head}Content-Length: 100\r\n\r\n`],
    ['stops within the body', `${head}Content-Length: 100\r\n\r\nold 0\n`],
    ['stops within a chunk', `${head}Transfer-Encoding: chunked\r\n\r\nff\r\nold`],
    ['keeps the connection', 'GET / HTTP/1.1\r\nHost: w\r\n\r\n'],
  ])('one that %s is cut off, and others are served meanwhile', async (_, sent) => {
    await start({ limits })
    const { socket, gone } = await dial()
    socket.write(sent)
    await served()
    await gone
    await served()
  })

  it('one that drips is cut off all the same', async () => {
    await start({ limits })
    const { socket, gone } = await dial()
    socket.write(`${head}Content-Length: 100000\r\n\r\n`)
    const drip = setInterval(() => socket.write('x'), 20)
    await gone
    clearInterval(drip)
  })

  it('are so many at most', async () => {
    await start({ limits: { connections: 2 } })
    const first = [await dial(), await dial()]
    const third = await dial()
    await third.gone
    expect(first.map(({ socket }) => socket.destroyed)).toEqual([false, false])
    for (const { socket } of first) socket.destroy()
  })

  /** On a machine that is busy an honest client can be late too: it comes again. */
  async function served(): Promise<void> {
    for (;;) {
      const response = await fetch(witness.url).catch(() => undefined)
      if (response?.status === 200) return
    }
  }

  async function dial(): Promise<{ socket: Socket; gone: Promise<unknown> }> {
    const { hostname, port } = new URL(witness.url)
    const socket = connect(Number(port), hostname)
    const gone = new Promise((resolve) => socket.once('close', resolve))
    // A connection that is cut may end with a reset.
    socket.on('error', () => undefined).resume()
    await once(socket, 'connect')
    return { socket, gone }
  }
})

describe('start and end', () => {
  it('a port that is taken is refused, and the data are free again', async () => {
    const { url } = await start()
    const listen = { host: '127.0.0.1', port: Number(new URL(url).port) }
    const key = folder.path('second.key')
    const options = { key, name: 'witness.example.com/w2', logs: [] }
    await expect(openWitness({ ...options, listen })).rejects.toMatchObject({ code: 'io' })
    await (await openWitness(options)).close()
  })

  it('a log that is no log is refused before anything answers', async () => {
    const { vkey } = await start()
    const options = { key: folder.path('second.key'), name: 'witness.example.com/w2' }
    await expect(openWitness({ ...options, logs: [vkey] })).rejects.toMatchObject({
      code: 'policy-malformed',
    })
    await expect(openWitness({ ...options, logs: ['x'] })).rejects.toMatchObject({ code: 'policy-malformed' })
  })

  it('a running request is answered while it closes', async () => {
    const { url } = await start()
    const body = log.request(0, 5)
    const sender = request(`${url}/add-checkpoint`, { method: 'POST', headers: { Expect: '100-continue' } })
    sender.flushHeaders()
    const answered = once(sender, 'response')
    await once(sender, 'continue') // the witness has begun with it
    const closed = witness.close(60_000)
    sender.end(body)
    const [response] = (await answered) as [{ statusCode: number; resume(): void }]
    response.resume()
    expect(response.statusCode).toBe(200)
    await closed
  })

  it('stops for good when the data are not its own any more', async () => {
    const { failure } = await start()
    expect((await post(log.request(0, 3))).status).toBe(200)
    rmSync(folder.path('w.key.db.owner'))
    expect((await post(log.request(3, 5))).status).toBe(500)
    const error = await failure
    expect(error instanceof CountersignError && error.code).toBe('memory-locked')
    await witness.close()
    await expect(post(log.request(3, 5))).rejects.toThrow()
    await start()
    expect(await (await post(log.request(0, 9))).text()).toBe('3\n')
  })
})
