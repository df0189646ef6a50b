import { existsSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseVerifierKey } from 'countersign/core'
import { parseLogs } from '../../client/src/witness/index.js'
import { parseListen } from '../../client/src/cli/witness.js'
import { runCli, type CliResult } from '../support/cli.js'
import { codeOf } from '../support/tlog.js'
import { startWitnessProcess, type WitnessProcess } from './process.js'
import { scriptedLog, tempFolder, WITNESS_NAME, type TempFolder } from './support.js'

const log = scriptedLog('example.com/log')
const other = scriptedLog('example.com/other', { seed: 2 })

let folder: TempFolder
const running: WitnessProcess[] = []
beforeEach(() => {
  folder = tempFolder()
})
afterEach(async () => {
  for (const witness of running.splice(0)) await witness.end('SIGKILL')
  folder.remove()
})

const key = (): string => folder.path('keys/witness.key')
const logs = (): string => folder.path('logs.txt')

async function start(...args: readonly string[]): Promise<WitnessProcess> {
  const witness = await startWitnessProcess('--key', key(), ...args)
  running.push(witness)
  return witness
}

function run(...args: readonly string[]): Promise<CliResult> {
  return runCli(['witness', '--json', '--listen', '0', ...args], { home: folder.path('home') })
}

function codeIn(result: CliResult): [number, string] {
  return [result.code, (result.json()['error'] as { code: string }).code]
}

async function ask({ url }: WitnessProcess, body: Uint8Array): Promise<number> {
  return (await fetch(`${url}/add-checkpoint`, { method: 'POST', body })).status
}

describe('countersign witness', () => {
  it('makes its key, says where it answers, reads its logs again on SIGHUP, and ends in order', async () => {
    writeFileSync(logs(), `# ours\n\nlog ${log.vkey} https://log.example.com/\n`)
    const witness = await start('--name', WITNESS_NAME, '--logs', logs())
    expect(parseVerifierKey(witness.vkey)).toMatchObject({ name: WITNESS_NAME, type: 4 })
    expect(witness.logs).toEqual([log.origin])
    expect(statSync(key()).mode & 0o777).toBe(0o600)
    expect(await ask(witness, log.request(0, 5))).toBe(200)
    expect(await ask(witness, other.request(0, 5))).toBe(404)

    writeFileSync(logs(), `log ${log.vkey}\nlog nonsense\n`)
    await hangUp(witness)
    expect(await ask(witness, log.request(5, 5))).toBe(200)
    writeFileSync(logs(), `log ${other.vkey}\n`)
    await hangUp(witness)
    expect(await ask(witness, other.request(0, 5))).toBe(200)
    expect(await ask(witness, log.request(5, 6))).toBe(404)
    writeFileSync(logs(), `log ${log.vkey}\nlog ${other.vkey}\n`)
    await hangUp(witness)
    expect(await ask(witness, log.request(0, 6))).toBe(409)
    expect(await ask(witness, log.request(5, 6))).toBe(200)

    expect(await witness.end('SIGTERM')).toBe(0)
    expect(witness.said()).toContain(log.origin)
    const again = await start('--log', log.vkey, other.vkey)
    expect([again.vkey, ...again.logs]).toEqual([witness.vkey, log.origin, other.origin])
    expect(await ask(again, log.request(6, 7))).toBe(200)
  })

  /** SIGHUP says on stderr what became of it. */
  async function hangUp(witness: WitnessProcess): Promise<void> {
    const before = witness.said().length
    const heard = new Promise<void>((resolve) => {
      const look = (): void => {
        if (witness.said().slice(before).includes('logs')) resolve()
        else setTimeout(look, 5)
      }
      look()
    })
    witness.child.kill('SIGHUP')
    await heard
  }

  it('keeps two histories apart, and its operator sees both', async () => {
    const witness = await start('--name', WITNESS_NAME, '--log', log.vkey)
    const forked = scriptedLog(log.origin, { history: 'two' })
    expect(await ask(witness, log.request(0, 9))).toBe(200)
    expect(await ask(witness, forked.request(9, 9))).toBe(422)
    await witness.end('SIGTERM')
    for (const note of [log.note(9), forked.note(9)]) {
      const [, , root = ''] = note.split('\n')
      expect(witness.said()).toContain(root)
    }
  })

  it('is one process a set of data; the second is refused, and a killed one’s data are taken over', async () => {
    const witness = await start('--name', WITNESS_NAME, '--log', log.vkey)
    expect(await ask(witness, log.request(0, 5))).toBe(200)
    expect(codeIn(await run('--key', key(), '--log', log.vkey))).toEqual([1, 'memory-locked'])
    expect(await ask(witness, log.request(5, 8))).toBe(200)
    expect(await witness.end('SIGKILL')).toBeNull()
    const again = await start('--log', log.vkey)
    expect(await ask(again, log.request(5, 9))).toBe(409)
    expect(await ask(again, log.request(8, 9))).toBe(200)
  })

  it('refuses damaged data, and a key without its data unless it is told that this is the start', async () => {
    const witness = await start('--name', WITNESS_NAME, '--log', log.vkey)
    expect(await ask(witness, log.request(0, 5))).toBe(200)
    await witness.end('SIGTERM')
    truncateSync(`${key()}.db`, 100)
    expect(codeIn(await run('--key', key()))).toEqual([1, 'memory-corrupt'])
    rmSync(`${key()}.db`)
    expect(codeIn(await run('--key', key()))).toEqual([1, 'io'])
    expect(existsSync(`${key()}.db`)).toBe(false)
    const fresh = await start('--first-start', '--log', log.vkey)
    expect(await ask(fresh, log.request(0, 5))).toBe(200)
  })

  it.each<[readonly string[], number, string]>([
    [['--key', 'none.key'], 2, 'usage'],
    [['--key', 'none.key', '--name', 'a b'], 1, 'key-invalid'],
    [['--key', 'none.key', '--name', 'a', '--logs', 'none.txt'], 1, 'io'],
    [['--name', 'a'], 2, 'usage'],
  ])('%j ends with %i', async (args, exit, code) => {
    const result = await run(...args.map((arg) => (arg.startsWith('none') ? folder.path(arg) : arg)))
    expect(codeIn(result)).toEqual([exit, code])
    expect(existsSync(folder.path('none.key'))).toBe(false)
  })
})

describe('--listen', () => {
  it.each([
    ['8470', '127.0.0.1', 8470],
    ['0', '127.0.0.1', 0],
    ['0.0.0.0:1', '0.0.0.0', 1],
    ['localhost:65535', 'localhost', 65_535],
    ['[::1]:80', '::1', 80],
  ])('%s', (text, host, port) => expect(parseListen(text)).toEqual({ host, port }))

  it.each(['', ':80', 'host', 'host:', '65536', '::1:80', '[::1]', '-1', '1e3', ' 80', 'a:b:80', '80\n'])(
    'refuses %j',
    (text) => expect(codeOf(() => parseListen(text))).toBe('usage'),
  )
})

describe('the file of logs', () => {
  it('has lines of a tlog-policy', () => {
    const text = `# logs\n\n  # more\n\tlog  ${log.vkey}\t\nlog ${other.vkey} https://log.example.com/x`
    expect(parseLogs(text).map(({ origin }) => origin)).toEqual([log.origin, other.origin])
    expect(parseLogs('')).toEqual([])
  })

  it.each([
    ['a key without `log`', log.vkey],
    ['a witness', `witness w ${log.vkey}`],
    ['an end-of-line comment', `log ${log.vkey} https://x # ours`],
    ['no key', 'log'],
    ['a carriage return', `log ${log.vkey}\r\n`],
    ['another id', `log ${log.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+')}`],
    ['a quorum', 'quorum none'],
  ])('refuses %s, and names the line', (_, line) => {
    expect(codeOf(() => parseLogs(`# logs\n${line}\n`))).toBe('policy-malformed')
    expect(() => parseLogs(`# logs\n${line}\n`)).toThrow(expect.objectContaining({ detail: { line: 2 } }))
  })

  it('refuses the key of a witness', () => {
    const vkey = 'witness.example.com/w1'
    expect(codeOf(() => parseLogs(`log ${vkey}+00000000+BAAA`))).toBe('policy-malformed')
  })
})
