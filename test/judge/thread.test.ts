import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { toProblem } from '../../src/http/problems.js'
import { JudgeUnavailable } from '../../src/judge/errors.js'
import type { Examined } from '../../src/judge/examine.js'
import type { Value, Work } from '../../src/judge/work.js'
import { addPublisher, sampleManifest, send, signManifest, startRegistry } from '../support/registry.js'
import { doneBy, folder, key, moduleOf, openThread, publicKey, REGISTRY } from './support.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dist = (path: string): string => pathToFileURL(join(root, 'dist', path)).href

const here: Work = () =>
  ({ kind: 'examined', examined: { by: 'here' } as unknown as Examined }) satisfies Value
const SAYS = "  say(id, 'thread')"
const code = (judged: Promise<unknown>): Promise<unknown> =>
  judged.then(
    (by) => by,
    (cause: unknown) => (cause as { code: unknown }).code,
  )

/** A timer that no test replaces. */
const realTimer = setTimeout

/** Waits for a file, and lets nothing else happen in this thread. */
function waitFor(path: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4))
  for (let left = 3000; left > 0; left--) {
    if (existsSync(path)) return
    Atomics.wait(clock, 0, 0, 10)
  }
  throw new Error(`nobody wrote ${path}`)
}

describe('a thread that ends', () => {
  it('at a task once: another one does the task, and those behind it', async () => {
    const flag = join(folder(), 'died')
    const module = moduleOf(`
  if (task.envelope === 'once' && !existsSync(${JSON.stringify(flag)})) {
    writeFileSync(${JSON.stringify(flag)}, '')
    process.exit(3)
  }
${SAYS}`)
    const { judge, warned } = openThread({ module, inline: here })
    const done = ['before', 'once', 'behind'].map((envelope) => doneBy(judge, envelope))
    expect(await Promise.all(done)).toEqual(['thread', 'thread', 'thread'])
    expect(warned).toHaveLength(1)
  })

  it.each([
    ['leaving', 'process.exit(3)'],
    ['an error that nobody caught', "throw new Error('planted')"],
  ])('at a task always, by %s: it is done here, and a thread does those behind it', async (_, end) => {
    const module = moduleOf(`  if (task.envelope === 'deadly') { ${end} }\n${SAYS}`)
    const { judge, warned } = openThread({ module, inline: here })
    const first = doneBy(judge, 'deadly')
    expect(await first).toBe('here')
    expect(await doneBy(judge, 'behind')).toBe('thread')
    // Two ends, and what was done here.
    expect(warned).toHaveLength(3)
  })

  it('before it is ready, twice: everything is done here, and no third one is started for a while', async () => {
    const { judge, warned } = openThread({ module: moduleOf('', "throw new Error('planted')"), inline: here })
    expect(await Promise.all(['a', 'b'].map((envelope) => doneBy(judge, envelope)))).toEqual(['here', 'here'])
    expect(warned).toHaveLength(4)
    expect(await doneBy(judge, 'c')).toBe('here')
    expect(warned).toHaveLength(5)
  })

  it('because its module is not there: the answer is the same', async () => {
    const module = pathToFileURL(join(folder(), 'missing.mjs'))
    const { judge } = openThread({ module })
    const envelope = signManifest(sampleManifest(REGISTRY, { server: 'com.example/a' }), key)
    expect(await judge.examine(envelope, publicKey)).toEqual(
      await openThread().judge.examine(envelope, publicKey),
    )
  })
})

describe('a task that takes too long', () => {
  afterEach(() => void vi.useRealTimers())

  it('is refused, and those behind it are done by another thread', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { judge } = openThread({
      module: moduleOf(`  while (task.envelope === 'endless');\n${SAYS}`),
      inline: here,
    })
    expect(await doneBy(judge, 'before')).toBe('thread')
    const [endless, behind] = [code(doneBy(judge, 'endless')), doneBy(judge, 'behind')]
    vi.advanceTimersByTime(20_000)
    expect(await endless).toBe('judge-overdue')
    expect(await behind).toBe('thread')
  })

  it('and its twin, whose answer came while this thread was busy, is not', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const flag = join(folder(), 'answered')
    const { judge } = openThread({
      module: moduleOf(`${SAYS}\n  writeFileSync(${JSON.stringify(flag)}, '')`),
    })
    const judged = code(doneBy(judge, 'in time'))
    // Within one turn of the clocks, which is where a limit is found to be over.
    await new Promise((resolve) => realTimer(resolve, 0, undefined)).then(() => {
      waitFor(flag)
      vi.advanceTimersByTime(20_000)
    })
    expect(await judged).toBe('thread')
  })
})

describe('what cannot be judged now', () => {
  it.each(['judge-busy', 'judge-overdue', 'judge-closed'] as const)('%s: comes again later', (of) => {
    const problem = toProblem(new JudgeUnavailable(of, 'not now'), '')
    expect(problem).toMatchObject({ status: 503, code: 'unavailable', headers: { 'Retry-After': '2' } })
  })
})

describe('a thread that has much to do', () => {
  /** Does nothing until `gate` is there, and then what `work` says. */
  const gated = (gate: string, work: string): string => `
  const clock = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(${JSON.stringify(gate)})) Atomics.wait(clock, 0, 0, 10)
${work}`

  it.each([
    ['tasks', { tasks: 2, characters: 1000 }],
    ['text', { tasks: 10, characters: 12 }],
  ])('takes no more %s than it may, and more of it once something is done', async (_, limits) => {
    const gate = join(folder(), 'gate')
    const { judge } = openThread({ module: moduleOf(gated(gate, SAYS)), limits })
    const taken = ['first.', 'second'].map((envelope) => doneBy(judge, envelope))
    expect(await code(doneBy(judge, 'third.'))).toBe('judge-busy')
    writeFileSync(gate, '')
    expect(await Promise.all(taken)).toEqual(['thread', 'thread'])
    expect(await doneBy(judge, 'fourth')).toBe('thread')
  })

  it('tells those who wait that it is closed, and those who come later', async () => {
    const { judge } = openThread({ module: moduleOf('  while (true);') })
    const waiting = [code(doneBy(judge, 'a')), code(doneBy(judge, 'b'))]
    await judge.close()
    expect(await Promise.all(waiting)).toEqual(['judge-closed', 'judge-closed'])
    expect(await code(doneBy(judge, 'c'))).toBe('judge-closed')
  })

  it('keeps nobody else waiting: others are answered while four MiB are judged', async () => {
    const gate = join(folder(), 'gate')
    const before = `import { openWork } from '${dist('judge/work.js')}'
import { answerOf } from '${dist('judge/wire.js')}'
const work = openWork()`
    const answers = '  parentPort.postMessage(answerOf({ id, task }, work))'
    const { judge, warned } = openThread({ module: moduleOf(gated(gate, answers), before) })
    const at = await startRegistry({ overrides: { judge } })
    const { caller, key: signer } = await addPublisher(at, 'com.example')
    const large = signManifest(largest(at.identity), signer)
    const happened: string[] = []
    const published = caller
      .post('/v1/manifests', large)
      .then((reply) => happened.push(`${reply.status} published`))
    for (let i = 0; i < 3; i++) happened.push(`${(await send(at.url, 'GET', '/v1/status')).status} read`)
    writeFileSync(gate, '')
    await published
    expect(happened).toEqual(['200 read', '200 read', '200 read', '201 published'])
    expect(warned).toEqual([])
    await at.close()
    expect(await code(doneBy(judge, large))).toBe('judge-closed')
  })

  it('never keeps its process alive', () => {
    const script = `
import { openJudge } from '${dist('judge/thread.js')}'
const judge = openJudge({ log: { warn: (_, message) => console.error(message) } })
const held = setInterval(() => {}, 1000)
await judge.examine('a.b.c', 'AAAA').catch((cause) => console.log(cause.code))
clearInterval(held)`
    const args = ['--input-type=module', '-e', script]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect([status, stdout.trim(), stderr]).toEqual([0, 'key-invalid', ''])
  })
})

function largest(registry: string) {
  const [tool] = sampleManifest(registry, { server: 'com.example/large' }).tools
  const description = 'Reads what the station measured. '.repeat(3500)
  const tools = Array.from({ length: 35 }, (_, i) => ({
    ...tool!,
    definition: { ...tool!.definition, name: `read_${i}`, description },
  }))
  return sampleManifest(registry, { server: 'com.example/large', tools })
}
