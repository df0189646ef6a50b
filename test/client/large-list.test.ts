import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RegistryApi } from 'countersign'
import { fileMemory } from 'countersign/node'
import { digestOf, utf8Bytes, type Digest } from 'countersign/core'
import { openWorld, toolsOf, weather, type Published, type World } from '../support/world.js'

// 20 000 lines: fetched once, written once, and nothing of it touched again as long as the list is the same.

const LINES = 20_000
const digestNumber = (n: number): Digest => digestOf(utf8Bytes(`manifest ${n}`))

let dir = ''
let world: World
let v1: Published
let asked = 0
let api: () => RegistryApi

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-large-'))
  world = openWorld()
  v1 = world.release(world.enrol('com.acme'), weather())
  world.revokeAll(
    Array.from({ length: LINES }, (_, i) => ({ kind: 'manifest', digest: digestNumber(i) }) as const),
  )
  api = () =>
    world.api({
      fetchRevocations: (hex) => {
        asked += 1
        return world.api().fetchRevocations(hex)
      },
    })
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const memory = () => fileMemory(dir)
const verdict = async (registry = api()): Promise<string> => {
  const host = await world.host({ registry, memory: memory() })
  return (await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })).verdict
}
const written = async () => (await stat(join(dir, `revocations-${world.identity}`))).mtimeMs

describe('a revocation list of 20 000 lines', () => {
  it('is fetched and written once; refreshes write the small half alone', async () => {
    const host = await world.host({ registry: api(), memory: memory() })
    await host.refresh()
    const at = await written()
    for (let round = 0; round < 3; round++) {
      world.wait(60)
      await host.refresh()
    }
    expect(await verdict()).toBe('verified')
    expect([asked, await written()]).toEqual([1, at])
    const { size } = await stat(join(dir, `world-${world.identity}.json`))
    expect(size).toBeLessThan(64 * 1024)
  })

  it('one line more is one more fetch, and a line that vanishes is a tombstone with its position', async () => {
    const line = { kind: 'manifest', digest: v1.digest } as const
    world.revoke(line)
    expect(await verdict()).toBe('revoked')
    expect(asked).toBe(2)
    const position = world.size - 1
    world.lift(line)
    expect(await verdict()).toBe('revoked')
    const kept = await memory().readRevocations(world.identity)
    expect(kept?.tombstones).toEqual([{ line: `manifest\0${v1.digest}`, seen: position }])
  })
})
