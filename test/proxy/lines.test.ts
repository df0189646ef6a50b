import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { hasOneMeaning } from '../../client/src/proxy/exact-text.js'
import { MAX_LINE_BYTES } from '../../client/src/proxy/line-reader.js'
import { LineWriter } from '../../client/src/proxy/line-writer.js'
import { formatLine, messageReader, type LineFault } from '../../client/src/proxy/message-lines.js'
import { openStdioHost } from '../../client/src/proxy/stdio-host.js'
import { TopLevelId } from '../../client/src/proxy/top-level-id.js'

interface Heard {
  readonly messages: object[]
  readonly faults: [LineFault, string | number | undefined, boolean][]
  push(...chunks: (string | Buffer)[]): void
}

function hear(): Heard {
  const messages: object[] = []
  const faults: Heard['faults'] = []
  const reader = messageReader({
    onMessage: (message) => messages.push(message),
    onFault: (fault, { id, hasMethod }) => faults.push([fault, id, hasMethod]),
  })
  return {
    messages,
    faults,
    push: (...chunks) => {
      for (const chunk of chunks) reader.push(Buffer.from(chunk as string))
    },
  }
}

describe('messages out of bytes', () => {
  it('are the same however the bytes were cut', () => {
    const text = '{"a":"é"}\r\n\n{"b":[1,2]}\n{"c":"🌦"}\n'
    const bytes = Buffer.from(text)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const heard = hear()
      heard.push(bytes.subarray(0, cut), bytes.subarray(cut))
      expect(heard.messages).toEqual([{ a: 'é' }, { b: [1, 2] }, { c: '🌦' }])
      expect(heard.faults).toEqual([])
    }
  })

  it('may drip in single bytes', () => {
    const heard = hear()
    heard.push(...[...Buffer.from(`{"a":"${'x'.repeat(5000)}"}\n`)].map((byte) => Buffer.from([byte])))
    expect(heard.messages).toEqual([{ a: 'x'.repeat(5000) }])
  })

  it.each([
    ['a banner', 'Server listening …', 'not-json', undefined],
    ['a number', '42', 'not-json', undefined],
    ['a broken answer', '{"jsonrpc":"2.0","id":7,"result":{"a":}}', 'not-json', 7],
    ['half a surrogate in bytes', Buffer.from('{"id":"é","result":"\xff"}', 'latin1'), 'not-utf8', undefined],
    ['an answer that is no UTF-8', Buffer.from('{"result":"\xff","id":8}', 'latin1'), 'not-utf8', 8],
  ] as const)('leave %s out and read on', (_, line, fault, id) => {
    const heard = hear()
    heard.push(line, '\n{"next":true}\n')
    expect(heard.messages).toEqual([{ next: true }])
    expect(
      heard.faults.map(([found, of]) => [found, found === 'not-utf8' && of === '\ufffd' ? undefined : of]),
    ).toEqual([[fault, id]])
  })

  it('leave out what is larger than the cap, know whose answer it was, and read on', () => {
    const heard = hear()
    const half = Buffer.alloc(MAX_LINE_BYTES / 2 + 100, 'x')
    heard.push('{"result":{"id":1,"text":"', half, half, '"},"jsonrpc":"2.0","id":99}\n', '{"next":true}\n')
    expect(heard.faults).toEqual([['oversized', 99, false]])
    expect(heard.messages).toEqual([{ next: true }])
  })

  it('may be as large as the cap', () => {
    const heard = hear()
    heard.push(`{"a":"${'x'.repeat(MAX_LINE_BYTES - 8)}"}\n`)
    expect([heard.messages.length, heard.faults]).toEqual([1, []])
  })
})

describe('whose line it was', () => {
  it.each([
    ['{"id":1,"method":"a","params":{"id":2}}', 1, true],
    ['{"params":{"id":2},"id":"x","method":"a"}', 'x', true],
    ['{ "id" : "a\\"b" , "result" : {} }', 'a"b', false],
    ['{"result":"\\"id\\":5,"}', undefined, false],
    ['{"id":1,"id":2,"result":{}}', undefined, false],
    ['{"id":null,"error":{}}', undefined, false],
    ['{"id":[1],"result":{}}', undefined, false],
    ['{"id":{"id":1},"result":{}}', undefined, false],
    [`{"id":"${'x'.repeat(1000)}","result":{}}`, undefined, false],
    ['[{"id":1}]', undefined, false],
    ['}}}{"id":1}', undefined, false],
    ['', undefined, false],
  ])('%s', (line, id, hasMethod) => {
    const found = new TopLevelId()
    for (const byte of Buffer.from(line)) found.push(Buffer.from([byte]))
    expect([found.id, found.hasMethod]).toEqual([id, hasMethod])
  })
})

describe('what goes on', () => {
  const roundTrip = (line: string): string => {
    const heard = hear()
    heard.push(`${line}\n`)
    return formatLine(heard.messages[0] ?? {})
  }

  it('keeps numbers that no double holds, as long as nobody changed the message', () => {
    const line = '{"id":1, "result":{"n":12345678901234567891,"x":0.12345678901234567891}}'
    expect(roundTrip(line)).toBe(`${line}\n`)
    const heard = hear()
    heard.push(`${line}\n`)
    expect(formatLine({ ...heard.messages[0] })).not.toContain('12345678901234567891')
  })

  it('keeps a number that is too large or too small for any double', () => {
    const line = '{"id":1,"result":{"n":1e999,"x":-2.5E-400}}'
    expect(roundTrip(line)).toBe(`${line}\n`)
  })

  it('is no deeper for a long number in it', () => {
    const deep = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`
    expect(() => roundTrip(`{"id":1,"result":{"n":12345678901234567891,"deep":${deep}}}`)).toThrow(RangeError)
    const line = `{"id":1,"result":{"n":12345678901234567891,"deep":${'['.repeat(200)}${']'.repeat(200)}}}`
    expect(roundTrip(line)).toBe(`${line}\n`)
  })

  it('is what was read where a member stands twice: never the bytes', () => {
    const line = '{"n":12345678901234567891,"name":"read_file","name":"now","\\u006eame":"later"}'
    expect(roundTrip(line)).toBe('{"n":12345678901234567000,"name":"later"}\n')
  })

  it.each([
    ['{"a":{"b":1},"c":{"b":1}}', true],
    ['{"a":["a","a",{"a":1},{"a":1}]}', true],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', true],
    ['{"a":1,"\\u0061":2}', false],
    ['{"a":[{"b":1,"b":2}]}', false],
    ['{"a":1}\n', true],
    ['{"a":\n1}', false],
  ])('%s has one meaning: %s', (text, expected) => {
    expect(hasOneMeaning(text)).toBe(expected)
  })
})

describe('a host over stdio', () => {
  const deep = (): object => JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`) as object

  it('hears that an answer is too deep, and no answer where the server asks or tells too deeply', async () => {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()]
    const ignore = (): void => undefined
    const host = openStdioHost({
      ...{
        stdin,
        stdout,
        onMessage: ignore,
        onFull: ignore,
        onDrain: ignore,
        onFault: ignore,
        onEnd: ignore,
      },
    })
    host.send({ jsonrpc: '2.0', id: 1, method: 'roots/list', params: { deep: deep() } })
    host.send({ jsonrpc: '2.0', method: 'notifications/message', params: { deep: deep() } })
    host.send({ jsonrpc: '2.0', id: 2, result: { deep: deep() } })
    host.send({ jsonrpc: '2.0', id: 3, method: 'roots/list' })
    await host.close()
    const lines = String(stdout.read()).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { id: 2, error: { code: -32603 } },
      { id: 3, method: 'roots/list' },
    ])
  })
})

describe('the writer', () => {
  const silent = { onFull: () => undefined, onDrain: () => undefined }

  it('keeps the order, and says when the pipe is full and when it drained', async () => {
    const pipe = new PassThrough({ highWaterMark: 16 })
    const said: string[] = []
    const writer = new LineWriter(pipe, {
      onFull: () => said.push('full'),
      onDrain: () => said.push('drain'),
      onFailure: (error) => expect.unreachable(error.message),
    })
    for (let n = 0; n < 10; n++) writer.write({ n })
    await expect.poll(() => said).toEqual(['full'])
    const chunks: string[] = []
    pipe.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
    await expect.poll(() => said).toEqual(['full', 'drain'])
    expect(chunks.join('')).toBe([...Array(10).keys()].map((n) => `{"n":${n}}\n`).join(''))
  })

  it('gives up a reader that never reads, once', async () => {
    const failures: string[] = []
    const writer = new LineWriter(new Writable({ write: () => undefined }), {
      ...silent,
      onFailure: (error) => failures.push(error.message),
    })
    const large = { text: 'x'.repeat(9 * 1024 * 1024) }
    for (let n = 0; n < 10; n++) writer.write(large)
    await expect.poll(() => failures).toHaveLength(1)
    writer.write(large)
    await new Promise((resolve) => setImmediate(resolve))
    expect(failures).toHaveLength(1)
  })

  it('gives up when the reader is gone', async () => {
    const failures: string[] = []
    const writer = new LineWriter(
      new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) }),
      {
        ...silent,
        onFailure: (error) => failures.push(error.message),
      },
    )
    writer.write({})
    await expect.poll(() => failures).toEqual(['EPIPE'])
  })

  it('refuses what is nested too deeply to be written, and writes what follows', async () => {
    const pipe = new PassThrough()
    const writer = new LineWriter(pipe, {
      ...silent,
      onFailure: (error) => expect.unreachable(error.message),
    })
    const deep = JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`) as object
    expect(writer.tryWrite({ deep })).toBe(false)
    expect(writer.tryWrite({ fine: 1 })).toBe(true)
    await expect.poll(() => String(pipe.read())).toBe('{"fine":1}\n')
  })
})
