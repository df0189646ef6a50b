import { spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  openSync,
  closeSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../client/support.js'
import { PATIENT_MS } from '../support/ledger.js'
import { program } from '../support/programs.js'
import { takeLock } from '../../client/src/node/lock.js'
import { fileSink } from '../../client/src/records/file-sink.js'
import { openRecords } from '../../client/src/records/index.js'
import type { RecordsProblem } from '../../client/src/records/options.js'
import { LineAppender } from '../../client/src/records/sink.js'
import { sinkOf } from '../../client/src/records/target.js'
import { callOf, folder, goodCall, recordsOf } from './support.js'

const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')
const line = (text: string): string => `${text.padEnd(99, '.')}\n`

describe('the file', () => {
  it('is the owner’s alone, its folder too, and is added to', async () => {
    const file = join(folder(), 'records', 'calls.jsonl')
    for (let i = 0; i < 2; i++) {
      const records = openRecords({ file })
      for (const event of goodCall(callOf())) records.connection({ slot: 's' })(event)
      expect(await records.close(PATIENT_MS)).toBe(0)
    }
    expect(recordsOf(read(file))).toHaveLength(2)
    if (process.platform !== 'win32') {
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700)
    }
  })

  it('moves aside when it is full, and the oldest goes', async () => {
    const file = join(folder(), 'calls.jsonl')
    const sink = fileSink({ file, maxBytes: 300, keep: 2 })
    for (let i = 0; i < 12; i++) expect(await sink.append([line(`${i}`)])).toBe(1)
    await sink.close()
    expect(readdirSync(join(file, '..')).sort()).toEqual(['calls.jsonl', 'calls.jsonl.1', 'calls.jsonl.2'])
    const kept = [`${file}.2`, `${file}.1`, file].map(read).join('')
    expect(
      kept
        .split('\n')
        .map((one) => parseInt(one, 10))
        .slice(0, -1),
    ).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('that another process moved aside, or removed, is noticed', async () => {
    const file = join(folder(), 'calls.jsonl')
    const [one, two] = [0, 1].map(() => fileSink({ file, maxBytes: 250, keep: 3 })) as [
      ReturnType<typeof fileSink>,
      ReturnType<typeof fileSink>,
    ]
    await one.append([line('a')])
    await two.append([line('b')])
    await one.append([line('c')])
    await two.append([line('d')])
    expect([read(`${file}.1`), read(file)]).toEqual([line('a') + line('b'), line('c') + line('d')])
    await Promise.all([one.close(), two.close()])
  })

  it('that another process takes its time to move aside loses nothing', async () => {
    const file = join(folder(), 'calls.jsonl')
    const sink = fileSink({ file, maxBytes: 150, keep: 1 })
    await sink.append([line('a')])
    const lock = await takeLock(`${file}.lock`)
    const appended = sink.append([line('b')])
    await Promise.race([appended, wait(1500)])
    expect(read(file)).toBe(line('a'))
    await lock.release()
    expect(await appended).toBe(1)
    expect([read(`${file}.1`), read(file)]).toEqual([line('a'), line('b')])
    await sink.close()
  })

  it('cannot be written: every call goes on, it is told, and later records follow', async () => {
    const dir = folder()
    const blocked = join(dir, 'records')
    writeFileSync(blocked, 'a file where the folder should be')
    const problems: RecordsProblem[] = []
    const records = openRecords({
      file: join(blocked, 'calls.jsonl'),
      onProblem: (one) => problems.push(one),
    })
    const tell = records.connection({ slot: 's' })
    for (const event of goodCall(callOf())) tell(event)
    await expect.poll(() => problems.map(({ type }) => type)).toEqual(['failing'])
    expect(await records.close(PATIENT_MS)).toBe(1)
    expect(read(blocked)).toBe('a file where the folder should be')
  })

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'in a folder that is read-only is the same',
    async () => {
      const dir = join(folder(), 'closed')
      mkdirSync(dir, { mode: 0o500 })
      const problems: RecordsProblem[] = []
      const records = openRecords({ file: join(dir, 'a.jsonl'), onProblem: (one) => problems.push(one) })
      for (const event of goodCall(callOf())) records.connection({ slot: 's' })(event)
      expect(await records.close(PATIENT_MS)).toBe(1)
      expect(problems).toEqual([{ type: 'failing', code: 'EACCES' }])
      chmodSync(dir, 0o700)
    },
  )

  it('is not moved aside where it is no file', async () => {
    const sink = fileSink({ file: '/dev/null', maxBytes: 1, keep: 1 })
    expect(await sink.append([line('a'), line('b')])).toBe(2)
    expect(existsSync('/dev/null.1')).toBe(false)
    await sink.close()
  })
})

describe('a write that ends in the middle of a line', () => {
  it('loses nothing but the torn piece, which stays alone on its line', async () => {
    let text = ''
    let room = 25
    const write = (bytes: Uint8Array): Promise<number> => {
      const taken = bytes.subarray(0, room)
      text += Buffer.from(taken).toString()
      return Promise.resolve(taken.length)
    }
    const appender = new LineAppender()
    const given = ['{"a":1}\n', '{"b":2}\n', '{"c":"π"}\n', '{"d":4}\n']
    expect(await appender.append(given, write)).toBe(2)
    room = 0
    expect(await appender.append(given.slice(2), write)).toBe(0)
    room = 1
    expect(await appender.append(given.slice(2), write)).toBe(0)
    room = 100
    expect(await appender.append(given.slice(2), write)).toBe(2)
    const readable = text.split('\n').filter((one) => {
      try {
        return typeof JSON.parse(one) === 'object'
      } catch {
        return false
      }
    })
    expect(readable).toEqual(given.map((one) => one.trimEnd()))
  })
})

describe('a piece of a line that a process left when it was ended', () => {
  it('stays alone on its line, whoever appends next', async () => {
    const file = join(folder(), 'calls.jsonl')
    writeFileSync(file, `${line('a')}{"half`)
    const sink = fileSink({ file, maxBytes: 1000, keep: 1 })
    expect(await sink.append([line('b')])).toBe(1)
    expect(read(file)).toBe(`${line('a')}{"half\n${line('b')}`)
    // The disk was full for another process, while this one had the file open.
    appendFileSync(file, '{"other')
    expect(await sink.append([line('c'), line('d')])).toBe(2)
    expect(read(file)).toBe(`${line('a')}{"half\n${line('b')}{"other\n${line('c')}${line('d')}`)
    await sink.close()
  })

  it('is none where the last line is whole: nothing is put between', async () => {
    const file = join(folder(), 'calls.jsonl')
    writeFileSync(file, line('a'))
    const sink = fileSink({ file, maxBytes: 1000, keep: 1 })
    await sink.append([line('b')])
    await sink.append([line('c')])
    expect(read(file)).toBe(`${line('a')}${line('b')}${line('c')}`)
    await sink.close()
  })
})

describe('a target', () => {
  it.each(['', 'fd:0', 'fd:1', 'fd:9999', 'fd:x', 'https://example.com/records', 'syslog:'])(
    '%s is none',
    (file) => {
      expect(codeOf(() => sinkOf({ file, maxBytes: 1, keep: 1 }))).toBe('usage')
    },
  )

  it.each(['-', 'fd:2', 'fd:7', 'calls.jsonl', '/var/log/calls.jsonl', 'C:\\records\\calls.jsonl'])(
    '%s is one',
    (file) => {
      expect(codeOf(() => sinkOf({ file, maxBytes: 1, keep: 1 }))).toBeUndefined()
    },
  )

  it('may be a descriptor that somebody opened', async () => {
    const file = join(folder(), 'fd.jsonl')
    const fd = openSync(file, 'a')
    const records = openRecords({ file: `fd:${fd}` })
    for (const event of goodCall(callOf())) records.connection({ slot: 's' })(event)
    expect(await records.close(PATIENT_MS)).toBe(0)
    closeSync(fd)
    expect(recordsOf(read(file))).toHaveLength(1)
  })

  it('that is not open is told and holds nothing up', async () => {
    const problems: RecordsProblem[] = []
    const records = openRecords({ file: 'fd:1000', onProblem: (one) => problems.push(one) })
    for (const event of goodCall(callOf())) records.connection({ slot: 's' })(event)
    expect(await records.close(PATIENT_MS)).toBe(1)
    expect(problems).toEqual([{ type: 'failing', code: 'EBADF' }])
  })
})

describe('several processes', () => {
  it('append to one file, through every rotation, and no line is lost or torn', async () => {
    const file = join(folder(), 'calls.jsonl')
    const [names, times] = [['a', 'b', 'c'], 400]
    const losses = await Promise.all(names.map((name) => runWriter(file, name, times)))
    expect(losses).toEqual(['0', '0', '0'])
    const files = readdirSync(join(file, '..'))
    expect(files.length).toBeGreaterThan(2)
    const records = files.flatMap((name) => recordsOf(withoutEmptyLines(read(join(file, '..', name)))))
    const found = records.map(({ agent, name }) => `${String(agent)} ${String(name)}`)
    const wanted = names.flatMap((name) => Array.from({ length: times }, (_, i) => `${name} ${i}`))
    expect(found.sort()).toEqual(wanted.sort())
  })

  it('ends although nobody reads the pipe that it writes to', async () => {
    const [command, ...args] = program('../records/writer-main.ts', 'fd:3', 'a', '5000', '200')
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
    const code = new Promise((resolve) => child.once('exit', resolve))
    expect(await code).toBe(0)
    child.stdio[3]?.destroy()
  })
})

/** Whoever is held up in the middle of a write looks like one that ended there: the next one begins on a line of its own. */
function withoutEmptyLines(text: string): string {
  return text.replaceAll(/^\n/gm, '')
}

/** What the process says it lost. */
function runWriter(file: string, name: string, times: number): Promise<string> {
  const [command, ...args] = program('../records/writer-main.ts', file, name, String(times), '60000')
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve(said.trim()))
  })
}
