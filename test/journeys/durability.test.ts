import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { enrol, envelopeOf, startVictim } from '../support/crash.js'
import { bootstrap, callerOf, expectStatus, newKey } from '../support/registry.js'
import { answersIn, readTrace, tracer, type Call } from '../support/trace.js'

const PUBLISHES = 12
/** Locks and the index of the journal: made anew after a crash, nothing depends on them. */
const REBUILT = /(-shm|\.lock|\.lock-journal)$/

describe('what was answered is on disk', () => {
  it(
    'every answer to a publish leaves after database and rollback file were synced',
    { timeout: 300_000 },
    async ({ skip }) => {
      const folder = await realpath(await mkdtemp(join(tmpdir(), 'countersign-trace-')))
      try {
        const traceFile = join(folder, 'trace.txt')
        const under = tracer(traceFile)
        if (under === undefined) return skip('see the warning above')
        const pid = await publishSome(folder, under)
        const calls = await readTrace(traceFile, pid)
        const answers = answersIn(calls, join(folder, 'data'), 'HTTP/1.1 201').slice(-PUBLISHES)
        console.log(`durability: ${answers.map(({ writes, syncs }) => `${writes}w/${syncs}s`).join(' ')}`)
        expect(answers).toHaveLength(PUBLISHES)
        for (const { unsynced, writes, syncs } of answers) {
          expect(unsynced.filter((path) => !REBUILT.test(path))).toEqual([])
          expect(writes).toBeGreaterThan(0)
          expect(syncs).toBeGreaterThan(0)
        }
        const rollback = answersIn(calls, join(folder, 'state'), 'HTTP/1.1 201').slice(-PUBLISHES)
        for (const { unsynced, syncs } of rollback) expect([unsynced, syncs > 0]).toEqual([[], true])
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
})

describe('the reading of a trace', () => {
  const socket = (data: string): Call => ({ name: 'write', target: 'socket:[1]', data })
  const file = (name: string): Call => ({ name, target: '/data/log', data: '' })

  it('tells an answer that left too early', () => {
    const early = [file('pwrite64'), socket('HTTP/1.1 201 Created'), file('fdatasync')]
    expect(answersIn(early, '/data', 'HTTP/1.1 201')).toEqual([
      { unsynced: ['/data/log'], writes: 1, syncs: 0 },
    ])
    const late = [file('pwrite64'), file('fdatasync'), socket('HTTP/1.1 201 Created')]
    expect(answersIn(late, '/data', 'HTTP/1.1 201')).toEqual([{ unsynced: [], writes: 1, syncs: 1 }])
  })
})

/** One after another, so that each answer has a batch of its own. Returns the id of the traced process. */
async function publishSome(folder: string, under: readonly string[]): Promise<number> {
  const victim = await startVictim(folder, under)
  try {
    const client = await bootstrap(victim.url, 'admin', victim.password ?? '')
    const key = newKey()
    const identity = await enrol(victim.url, client, key)
    const caller = callerOf(victim.url, client)
    for (let serial = 0; serial < PUBLISHES; serial++) {
      expectStatus(201, await caller.post('/v1/manifests', envelopeOf(identity, serial, key).envelope))
    }
    return victim.child.pid ?? 0
  } finally {
    await victim.end('SIGTERM')
  }
}
