import { describe, expect, it } from 'vitest'
import type { RecordsProblem } from '../../client/src/records/options.js'
import type { LineSink } from '../../client/src/records/sink.js'
import { RecordWriter, type WriterOptions } from '../../client/src/records/writer.js'

/** A disk the test stops, breaks and lets go on. */
function openDisk() {
  const waiting: (() => void)[] = []
  let [held, broken] = [false, '']
  const written: string[] = []
  let most = 0
  const sink: LineSink = {
    async append(lines) {
      most = Math.max(most, Buffer.byteLength(lines.join('')))
      if (held) await new Promise<void>((go) => waiting.push(go))
      if (broken !== '') throw Object.assign(new Error('disk'), { code: broken })
      written.push(...lines)
      return lines.length
    },
    close: () => Promise.resolve(),
  }
  return {
    sink,
    written,
    most: () => most,
    hold: () => (held = true),
    release: () => {
      held = false
      for (const go of waiting.splice(0)) go()
    },
    break: (code: string) => (broken = code),
    mend: () => (broken = ''),
  }
}

function openWriter(disk: { readonly sink: LineSink }, options: Partial<WriterOptions> = {}) {
  const problems: RecordsProblem[] = []
  const writer = new RecordWriter({
    sink: disk.sink,
    maxWaiting: 10,
    maxWaitingBytes: 1000,
    now: () => 7,
    onProblem: (problem) => problems.push(problem),
    formatDropped: (count, since) => `dropped ${count} since ${since}\n`,
    ...options,
  })
  return { writer, problems }
}

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`)

describe('a disk that is well', () => {
  it('gets every line, in order, and nothing is lost', async () => {
    const disk = openDisk()
    const { writer, problems } = openWriter(disk, { maxWaiting: 10_000, maxWaitingBytes: 1 << 20 })
    for (const line of lines(0, 5000)) writer.push(line)
    expect(await writer.close(30_000)).toBe(0)
    expect(disk.written).toEqual(lines(0, 5000))
    expect(problems).toEqual([])
  })

  it('gets no more than 64 KiB in one write', async () => {
    const disk = openDisk()
    const { writer } = openWriter(disk, { maxWaiting: 100, maxWaitingBytes: 1 << 24 })
    const line = `${'x'.repeat(30_000)}\n`
    for (let i = 0; i < 20; i++) writer.push(line)
    await writer.close(30_000)
    expect(disk.written).toHaveLength(20)
    expect(disk.most()).toBeLessThanOrEqual(65_536)
  })
})

describe('a disk that is slow', () => {
  it('holds nobody up: what cannot wait is counted where it would have stood', async () => {
    const disk = openDisk()
    disk.hold()
    const { writer, problems } = openWriter(disk)
    for (const line of lines(0, 30)) writer.push(line)
    expect(disk.written).toEqual([])
    expect(problems).toEqual([{ type: 'dropping' }])
    disk.release()
    await expect.poll(() => disk.written.at(-1)).toBe('dropped 21 since 7\n')
    writer.push('after\n')
    await expect.poll(() => disk.written.at(-1)).toBe('after\n')
    expect(disk.written).toEqual([...lines(0, 9), 'dropped 21 since 7\n', 'after\n'])
    expect(problems).toEqual([{ type: 'dropping' }, { type: 'recovered', dropped: 21 }])
    expect(await writer.close(30_000)).toBe(21)
  })

  it('holds no more bytes than may wait', async () => {
    const disk = openDisk()
    disk.hold()
    const { writer } = openWriter(disk, { maxWaiting: 1000 })
    const line = `${'x'.repeat(299)}\n`
    for (let i = 0; i < 10; i++) writer.push(line)
    disk.release()
    await expect.poll(() => disk.written).toEqual([line, line, line, 'dropped 7 since 7\n'])
    await writer.close(30_000)
  })

  it('that never answers does not keep a process from ending', async () => {
    const disk = openDisk()
    disk.hold()
    const { writer } = openWriter(disk)
    for (const line of lines(0, 5)) writer.push(line)
    expect(await writer.close(20)).toBe(5)
    disk.release()
  })
})

describe('a disk that fails', () => {
  it('is tried again, told of once, and nothing is lost that could wait', async () => {
    const disk = openDisk()
    disk.break('ENOSPC')
    const { writer, problems } = openWriter(disk)
    for (const line of lines(0, 3)) writer.push(line)
    await expect.poll(() => problems).toEqual([{ type: 'failing', code: 'ENOSPC' }])
    disk.mend()
    await expect.poll(() => disk.written).toEqual(lines(0, 3))
    expect(problems).toEqual([
      { type: 'failing', code: 'ENOSPC' },
      { type: 'recovered', dropped: 0 },
    ])
    expect(await writer.close(30_000)).toBe(0)
  })

  it('to the end: closing tries once more, and says what is lost', async () => {
    const disk = openDisk()
    disk.break('EROFS')
    const { writer, problems } = openWriter(disk)
    for (const line of lines(0, 30)) writer.push(line)
    expect(await writer.close(30_000)).toBe(30)
    expect(problems).toContainEqual({ type: 'failing', code: 'EROFS' })
    expect(disk.written).toEqual([])
  })

  it('and takes a part of what it gets: the rest comes later, in order', async () => {
    const written: string[] = []
    const sink: LineSink = {
      append: (given) => {
        written.push(...given.slice(0, 2))
        return Promise.resolve(Math.min(2, given.length))
      },
      close: () => Promise.resolve(),
    }
    const { writer } = openWriter({ sink })
    for (const line of lines(0, 7)) writer.push(line)
    expect(await writer.close(30_000)).toBe(0)
    expect(written).toEqual(lines(0, 7))
  })

  it('while it is closed: its failure is nobody’s exception', async () => {
    const sink: LineSink = {
      append: (given) => Promise.resolve(given.length),
      close: () => Promise.reject(new Error('EIO')),
    }
    const { writer } = openWriter({ sink })
    writer.push('a\n')
    expect(await writer.close(30_000)).toBe(0)
  })
})

it('what comes after the end is lost, and counted', async () => {
  const disk = openDisk()
  const { writer } = openWriter(disk)
  await writer.close(30_000)
  writer.push('late\n')
  expect(await writer.close(30_000)).toBe(1)
  expect(disk.written).toEqual([])
})
