import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { safeJson, safeLines, safeText } from '../../client/src/cli/escape.js'
import { formatLine, green, quoted } from '../../client/src/cli/output.js'
import { openDesk, runCli, type CliResult, type Desk } from '../support/cli.js'
import { rawServer } from '../support/cli-command.js'

// What a terminal obeys, or shows as something else than it is. Line feeds are ours.
const OBEYED =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/u

const HOSTILE = 'a\u001b[2J\u009b31m\u202Eb\u202C\u2066c\u2069\u{E0041}\u200Bd\u0007\u0000\r\u2028\ud800'

describe('escaping', () => {
  it('leaves nothing that a terminal obeys', () => {
    expect(safeText(HOSTILE)).not.toMatch(OBEYED)
    expect(safeText(HOSTILE)).toContain('\\u{001B}[2J')
    expect(safeText('one\ntwo\tthree')).toBe('one\\ntwo\\tthree')
    expect(safeLines('one\r\ntwo\u001b')).toEqual(['one', 'two\\u{001B}'])
  })

  it('escapes every single control and format character', () => {
    for (let code = 0; code <= 0x2fff; code++) {
      const char = String.fromCodePoint(code)
      if (/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/u.test(char)) {
        expect(safeText(`a${char}b`)).not.toContain(char)
      }
    }
  })

  it('leaves honest text as it is', () => {
    for (const text of ['Grüße', '日本語', 'a "quoted" \\ path', '👍🏽', 'naïve — “text”'])
      expect(safeText(text)).toBe(text)
  })

  it('makes JSON that says the same and hides nothing', () => {
    const document = { text: HOSTILE, nested: [`\u{E0041}${HOSTILE}`], ['key\u202E']: 'ü' }
    expect(safeJson(document)).not.toMatch(OBEYED)
    expect(JSON.parse(safeJson(document))).toEqual(JSON.parse(JSON.stringify(document)))
  })

  it('colours only what is ours', () => {
    expect(formatLine([green('ok'), ' \u001b[31mnot ours'], true)).toBe(
      '\u001b[32mok\u001b[0m \\u{001B}[31mnot ours',
    )
    expect(formatLine([green('\u001b[0m')], false)).toBe('\\u{001B}[0m')
    expect(quoted('one\nerror two').map((line) => formatLine(line, false))).toEqual([
      '  │ one',
      '  │ error two',
    ])
  })
})

describe('hostile text through the whole journey (A28)', () => {
  let desk: Desk
  const server = ['--as', 'internal.desk/raw', '--set-version', '1.0.0', '--subject', 'com.example/raw']
  beforeAll(async () => {
    desk = await openDesk()
  })
  afterAll(() => desk.close())

  function assertClean(result: CliResult): CliResult {
    expect(result.stdout).not.toMatch(OBEYED)
    expect(result.stderr).not.toMatch(OBEYED)
    return result
  }

  it('is captured as it is, and shown escaped', async () => {
    const vouched = assertClean(await desk.run('vouch', ...server, '--', ...rawServer('hostile')))
    expect([0, 1]).toContain(vouched.code)
    const file = join(desk.home, 'hostile.json')
    const capture = ['capture', '--server', 'internal.desk/raw', '--set-version', '1.0.0', '--out', file]
    assertClean(await desk.run(...capture, '--', ...rawServer('hostile')))
    const linted = assertClean(await desk.run('lint', file))
    expect(linted.stdout).toContain('\\u{')
    assertClean(await desk.run('lint', file, '--json'))
  })

  it('is shown to the reviewer with every hidden character visible', async () => {
    const shown = assertClean(await desk.run('admin', 'show', 'internal.desk/raw'))
    expect(shown.code).toBe(0)
    for (const visible of [
      '\\u{001B}[2J',
      '\\u{202E}evil',
      '\\u{E0041}',
      'zero\\u{200B}width',
      '│ error fake line',
    ]) {
      expect(shown.stdout).toContain(visible)
    }
    expect(shown.stdout).not.toMatch(/^error fake line/m)
    const json = assertClean(await desk.run('admin', 'show', 'internal.desk/raw', '--json'))
    expect(JSON.stringify(json.json())).toContain('\u202Eevil')
    assertClean(await desk.run('admin', 'pending'))
  })

  it('does not get through a verdict, an error or a server’s stderr', async () => {
    assertClean(await desk.run('check', '--', ...rawServer('hostile')))
    assertClean(await desk.run('check', '--json', '--', ...rawServer('hostile')))
    const crashed = assertClean(await desk.run('check', '--', ...rawServer('crash')))
    expect(crashed.stderr).toContain('\\u{001B}[31mopen')
    expect(assertClean(await desk.run('check', '--', ...rawServer('error'))).code).toBe(1)
    assertClean(await desk.run('status', `a.b/\u001b[31m`))
  })

  it('does not get through a registry that lies', async () => {
    const evil = createServer((req, res) => {
      res.writeHead(req.url?.includes('versions') === true ? 200 : 403, {
        'content-type': 'application/problem+json',
      })
      res.end(
        JSON.stringify({
          title: HOSTILE,
          code: HOSTILE,
          detail: HOSTILE,
          traceId: HOSTILE,
          fields: [HOSTILE],
        }),
      )
    })
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
    const registry = `http://127.0.0.1:${(evil.address() as AddressInfo).port}`
    const home = desk.home
    for (const args of [
      ['status', 'a.b/c'],
      ['verify', 'a.b/c'],
      ['trust', 'add', registry],
      ['log', 'verify'],
    ]) {
      expect(assertClean(await runCli(args, { home, registry })).code).not.toBe(0)
      assertClean(await runCli([...args, '--json'], { home, registry }))
    }
    evil.close()
  })
})
