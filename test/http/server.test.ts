import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openListener, type Listener } from '../../src/http/server.js'

let listener: Listener | undefined
afterEach(async () => {
  await listener?.close(0)
})

const open = async () => (listener = await openListener({ host: '127.0.0.1', port: 0 }))

describe('openListener', () => {
  it('answers 503 until it has an app', async () => {
    const { url, serve } = await open()
    expect((await fetch(url)).status).toBe(503)
    serve((_req, res) => res.end('ready'))
    expect(await (await fetch(url)).text()).toBe('ready')
  })

  it('says which port the system chose, and refuses one that is taken', async () => {
    const { url } = await open()
    const port = Number(new URL(url).port)
    expect(port).toBeGreaterThan(0)
    await expect(openListener({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('lets a running request end before it closes', async () => {
    const { url, serve, close } = await open()
    let finish: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      serve((_req, res) => {
        finish = () => res.end('whole')
        resolve()
      })
    })
    const answer = fetch(url)
    await started
    const closed = close()
    finish()
    expect(await (await answer).text()).toBe('whole')
    await closed
  })

  it('tells whoever is still answered that the connection ends, and nobody before', async () => {
    const { url, serve, close } = await open()
    const agent = new Agent({ keepAlive: true })
    const connectionOf = (path: string): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        const sent = get(url + path, { agent }, (res) => {
          res.resume().on('end', () => resolve(res.headers.connection))
        })
        sent.on('error', reject)
      })
    let finish: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      serve((req, res) => {
        if (req.url === '/now') return res.end('at once')
        finish = () => res.end('later')
        resolve()
        return undefined
      })
    })
    expect(await connectionOf('/now')).toBe('keep-alive')
    const late = connectionOf('/later')
    await started
    const closed = close()
    finish()
    expect(await late).toBe('close')
    await closed
    agent.destroy()
  })

  it('waits for nobody who has connected and said nothing', async () => {
    const { url, close } = await open()
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    // Connections are taken in turn: whoever is answered came after it.
    expect((await fetch(url)).status).toBe(503)
    const gone = once(socket, 'close')
    // A connection for later requests, as browsers and balancers open them: the day is longer than the test.
    await close(86_400_000)
    await gone
  })

  it('refuses endless headers', async () => {
    const { url } = await open()
    const headers = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'a'.repeat(1000)]))
    expect((await fetch(url, { headers })).status).toBe(431)
  })

  it('refuses more headers than it reads: none is left out, whoever put it behind the others', async () => {
    const { url, serve } = await open()
    serve((req, res) => res.end(String(req.headers['x-forwarded-for'])))
    const ask = async (count: number): Promise<string> => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      const others = Array.from({ length: count - 3 }, (_, i) => `X-${i}: 1`)
      const last = ['X-Forwarded-For: 192.0.2.1', 'Connection: close', '', '']
      socket.write(['GET / HTTP/1.1', 'Host: x', ...others, ...last].join('\r\n'))
      let received = ''
      for await (const chunk of socket) received += String(chunk)
      return received
    }
    expect(await ask(64)).toMatch(/^HTTP\/1\.1 200 [^]*\r\n192\.0\.2\.1$/)
    for (const count of [65, 70, 200]) expect(await ask(count)).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('cuts a caller who asks and does not read the answer', async () => {
    // Long enough for what is asked to arrive: whoever says nothing is cut as well.
    listener = await openListener({ host: '127.0.0.1', port: 0 }, { stallMs: 2000 })
    const bytes = 64 * 1024 * 1024
    const over = new Promise<void>((resolve) => {
      listener?.serve((_req, res) => res.once('close', resolve).end(Buffer.alloc(bytes)))
    })
    const socket = connect(Number(new URL(listener.url).port), '127.0.0.1').pause()
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await over
    expect(socket.bytesRead).toBeLessThan(bytes)
    socket.destroy()
  })

  it('cuts a connection that speaks no HTTP', async () => {
    const { url } = await open()
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const text = await new Promise<string>((resolve, reject) => {
      let received = ''
      socket.on('data', (chunk) => (received += chunk.toString()))
      socket.on('error', reject)
      socket.on('close', () => resolve(received))
      socket.write('\u0000\u0001 not http\r\n\r\n')
    })
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
  })
})
