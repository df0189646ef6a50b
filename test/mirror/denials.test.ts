import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { memoryInProcess } from 'countersign'
import { CountersignError, formatEntryBundle, utf8Bytes } from 'countersign/core'
import { openFolder } from '../../client/src/mirror/folder.js'
import { mirrorOnce } from '../../client/src/mirror/mirror.js'
import { staticApi, type ReadDocument } from '../../client/src/static-api.js'
import { codeOfAsync } from '../client/support.js'
import { openWorld, toolsOf, weather, type Published, type World } from '../support/world.js'

const out = mkdtempSync(join(tmpdir(), 'countersign-denials-'))
afterEach(() => rmSync(out, { recursive: true, force: true }))

/** The documents of a registry that has one server. */
function documentsOf(world: World, versions: readonly Published[]): ReadDocument {
  const api = world.api()
  const answer = async (path: string): Promise<Uint8Array | string | undefined> => {
    const [, name = '', rest = ''] = /^(v1\/\w+|log\/tile\/entries)\/?(.*)$/.exec(path) ?? []
    if (name === 'v1/status') return api.fetchStatus()
    if (name === 'v1/root') return api.fetchRoot(Number(rest))
    if (name === 'v1/bundles') return api.fetchBundle(rest as `sha256:${string}`)
    if (name === 'v1/revocations') return api.fetchRevocations(rest)
    if (name === 'v1/servers') return JSON.stringify({ versions: versions.map((one) => world.summary(one)) })
    if (name !== 'log/tile/entries') return undefined
    const width = Number(rest.split('.p/')[1])
    return formatEntryBundle(Array.from({ length: width }, (_, i) => utf8Bytes(world.leaf(i))))
  }
  return async (path) => {
    try {
      const found = await answer(path)
      return typeof found === 'string' ? utf8Bytes(found) : found
    } catch (error) {
      if (error instanceof CountersignError && error.code === 'registry-error') return undefined
      throw error
    }
  }
}

it('what is denied before its quorum is denied by the mirror, and its list is there first', async () => {
  const world = openWorld({ witnesses: 1 })
  const v1 = world.release(world.enrol('com.acme'), weather())
  const memory = memoryInProcess()
  const run = async (change: Partial<ReturnType<World['api']>> = {}) => {
    const read = documentsOf(world, [v1])
    const proofs = { fetchConsistency: (from: number, to: number) => world.api().fetchConsistency(from, to) }
    return mirrorOnce(
      {
        api: { ...staticApi(read), ...proofs, ...change },
        read,
        folder: await openFolder(out),
        trust: world.trust,
        memory,
        servers: 'all',
        now: () => world.clock * 1000,
        assertHeld: () => Promise.resolve(),
        progress: () => undefined,
      },
      'https://registry.example.com',
    )
  }
  const verdict = async (): Promise<string> => {
    const host = await world.host({ registry: staticApi((await openFolder(out)).read) })
    return (await host.review({ server: v1.server, slot: 'x', tools: toolsOf(v1) })).verdict
  }
  // The world keeps no policies, which no host asks for.
  expect((await run()).leftOut.every(({ what }) => what.startsWith('v1/policies/'))).toBe(true)
  expect(await verdict()).toBe('verified')
  world.hold()
  world.revoke({ kind: 'manifest', digest: v1.digest })
  const lost = () => Promise.reject(new CountersignError('registry-error', 'no such list'))
  expect(await codeOfAsync(() => run({ fetchRevocations: lost }))).toBe('proof-invalid')
  expect(await verdict()).toBe('verified')
  await run()
  expect(await verdict()).toBe('revoked')
  world.publishHeld()
  await run()
  expect(await verdict()).toBe('revoked')
})
