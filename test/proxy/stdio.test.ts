import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GuardEvent } from '../../client/src/guard/index.js'
import { runGuardProcess, type GuardProcessOptions } from '../../client/src/proxy/index.js'
import { messageReader } from '../../client/src/proxy/message-lines.js'
import { allow, fakeReviewer } from '../guard/support.js'
import { request, type Message } from './support.js'

/**
 * What a server does with each request, as the body of a function of `message`, `say` (an object, or a line) and
 * `answer` (to this request).
 */
async function open(script: string, options: Partial<GuardProcessOptions> = {}) {
  const source = `
    const write = (line) => process.stdout.write(line)
    const say = (what) => write((typeof what === 'string' ? what : JSON.stringify({ jsonrpc: '2.0', ...what })) + '\\n')
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const message = JSON.parse(line)
      const answer = (result) => say({ result, id: message.id })
      ${script}
    })`
  const [stdin, stdout] = [new PassThrough(), new PassThrough({ highWaterMark: 1024 * 1024 })]
  const heard: Message[] = []
  const log: string[] = []
  const events: GuardEvent[] = []
  const reader = messageReader({
    onMessage: (message) => heard.push(message as Message),
    onFault: (fault) => expect.unreachable(fault),
  })
  stdout.on('data', (chunk: Buffer) => reader.push(chunk))
  const code = runGuardProcess({
    host: fakeReviewer(() => allow('now')),
    slot: 'test',
    command: process.execPath,
    args: ['-e', source],
    stdin,
    stdout,
    log: (line) => log.push(line),
    onEvent: (event) => events.push(event),
    ...options,
  })
  onTestFinished(async () => {
    stdin.end()
    await code
  })
  const send = (message: object | string): boolean =>
    stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
  const answerTo = async (id: string | number): Promise<Message> => {
    await expect.poll(() => heard.find((message) => message.id === id)).toBeDefined()
    return heard.find((message) => message.id === id) as Message
  }
  return { stdin, stdout, heard, log, events, code, send, answerTo }
}

const PING = (id: number | string): Message => request(id, 'ping')

describe('the guard as a process, before a server that', () => {
  it('prints what is no message: those lines are left out, and reported a few times', async () => {
    const { send, answerTo, log, heard } = await open(`
      for (let n = 0; n < 100; n++) say('Listening …')
      say('"text"'); say(''); say('null')
      answer({})`)
    send(PING(1))
    expect(await answerTo(1)).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    expect(heard).toHaveLength(1)
    expect(log.length).toBeGreaterThan(0)
    expect(log.length).toBeLessThan(20)
  })

  it('logs objects to stdout: dropped, and reported a few times', async () => {
    const { send, answerTo, log } = await open(`
      for (let n = 0; n < 100; n++) say('{"level":30,"msg":"hello"}')
      answer({})`)
    send(PING(1))
    await answerTo(1)
    expect(log.length).toBeGreaterThan(0)
    expect(log.length).toBeLessThan(20)
  })

  it('answers with more than 10 MB: that answer is an error, and the server goes on', async () => {
    const { send, answerTo } = await open(`
      answer(message.id === 1 ? { text: 'x'.repeat(11 * 1024 * 1024) } : {})`)
    send(PING(1))
    expect(await answerTo(1)).toMatchObject({ error: { code: -32603 } })
    send(PING(2))
    expect(await answerTo(2)).toMatchObject({ result: {} })
  })

  it('answers with almost 10 MB: whole', async () => {
    const { send, answerTo } = await open(`answer({ text: 'x'.repeat(9 * 1024 * 1024) })`)
    send(PING(1))
    const { result } = await answerTo(1)
    expect((result as { text: string }).text.length).toBe(9 * 1024 * 1024)
  })

  it('answers in no UTF-8: an error, and none of its text', async () => {
    const { send, answerTo } = await open(`
      write(Buffer.concat([Buffer.from('{"jsonrpc":"2.0","result":{"a":"poison'), Buffer.from([255]), Buffer.from('"},"id":1}\\n')]))`)
    send(PING(1))
    const answer = await answerTo(1)
    expect(answer).toMatchObject({ error: { code: -32603 } })
    expect(JSON.stringify(answer)).not.toContain('poison')
  })

  it('nests an answer too deeply to be written again: an error, and the guard goes on', async () => {
    const { send, answerTo } = await open(`
      if (message.id === 1) write('{"jsonrpc":"2.0","id":1,"result":{"a":' + '['.repeat(100000) + ']'.repeat(100000) + '}}\\n')
      else answer({})`)
    send(PING(1))
    expect(await answerTo(1)).toMatchObject({ error: { code: -32603 } })
    send(PING(2))
    expect(await answerTo(2)).toMatchObject({ result: {} })
  })

  it('uses numbers that no double holds: they go on as they are, both ways', async () => {
    const { send, stdout, answerTo } = await open(`
      write(line.includes('12345678901234567891') ? '{"jsonrpc":"2.0","id":1,"result":{"n":98765432109876543219}}\\n' : '')`)
    const bytes: Buffer[] = []
    stdout.on('data', (chunk: Buffer) => bytes.push(chunk))
    send('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":12345678901234567891}}')
    await answerTo(1)
    expect(Buffer.concat(bytes).toString()).toContain('98765432109876543219')
  })

  it('never reads: the host is read no further, and the guard still ends', async () => {
    const { stdin, send, code } = await open('', {
      args: ['-e', 'process.stdin.pause(); setInterval(() => {}, 1000)'],
    })
    const text = 'x'.repeat(1024 * 1024)
    const call = { ...PING(1), params: { text } }
    send(call)
    await expect
      .poll(
        () => {
          if (stdin.writableLength < 8 * 1024 * 1024) send({ jsonrpc: '2.0', method: 'x', params: { text } })
          return stdin.writableLength >= 8 * 1024 * 1024
        },
        { interval: 1 },
      )
      .toBe(true)
    stdin.destroy()
    expect(await code).toBe(0)
  })

  it('starts others and ignores its end: all of them end with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-group-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'pids')
    const { send, stdin, code, answerTo } = await open(`
      process.on('SIGTERM', () => {})
      process.stdin.on('end', () => setInterval(() => {}, 1000))
      const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      require('node:fs').writeFileSync(${JSON.stringify(file)}, process.pid + ' ' + child.pid)
      answer({})`)
    send(PING(1))
    await answerTo(1)
    expect(existsSync(file)).toBe(true)
    const pids = readFileSync(file, 'utf8').split(' ').map(Number)
    stdin.end()
    expect(await code).toBe(0)
    await expect.poll(() => pids.filter(isAlive)).toEqual([])
  })

  it('is gone: the host hears what it said last, and the guard ends with 1', async () => {
    const { send, answerTo, code } = await open(`answer({}); process.exitCode = 0; process.stdin.destroy()`)
    send(PING(1))
    await answerTo(1)
    expect(await code).toBe(1)
  })
})

describe('the guard as a process, behind a host that', () => {
  it('sends what is no message: left out, and what is one is served', async () => {
    const { send, answerTo, log } = await open('answer({})')
    for (const line of ['nonsense', '[]', '{}', '\ufeff{}', '']) send(line)
    send(PING(1))
    await answerTo(1)
    expect(log.length).toBeGreaterThan(0)
  })

  it('sends more than 10 MB: it hears so, and is served on', async () => {
    const { send, answerTo } = await open('answer({})')
    send({ ...PING('large'), params: { text: 'x'.repeat(11 * 1024 * 1024) } })
    expect(await answerTo('large')).toMatchObject({ error: { code: -32603 } })
    send(PING(2))
    expect(await answerTo(2)).toMatchObject({ result: {} })
  })

  it('reads no more: the guard ends', async () => {
    const { stdout, send, code } = await open('answer({})')
    stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    send(PING(1))
    expect(await code).toBe(0)
  })

  it('ends before it said anything: no server was started', async () => {
    const { stdin, code, log } = await open('', { command: '/nowhere/no-such-command' })
    stdin.end()
    expect([await code, log]).toEqual([0, []])
  })

  it('names a command that there is none of: it ends with 1', async () => {
    const { send, code } = await open('', { command: '/nowhere/no-such-command' })
    send(PING(1))
    expect(await code).toBe(1)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
