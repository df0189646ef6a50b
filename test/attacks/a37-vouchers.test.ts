import { describe, expect, it } from 'vitest'
import { memoryInProcess } from '../../client/src/memory.js'
import { BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, signedTools } from '../support/guarded.js'
import { hostileServer, toolPages } from '../support/hostile.js'
import {
  addPublisher,
  approveManifest,
  expectStatus,
  publishManifest,
  sampleManifest,
} from '../support/registry.js'
import { signedWorld } from './world.js'

const world = signedWorld()
const evil = { name: 'send_mail', description: POISON, inputSchema: { type: 'object' } }
const withEvil = [...BENIGN_TOOLS, evil]

/** What a voucher signs of this package, still waiting. */
async function vouch(namespace: string, identifier: string, tools: readonly object[], role = 'voucher') {
  const { registry } = world()
  const voucher = await addPublisher(registry, namespace)
  const ref = { registryType: 'npm' as const, identifier, version: '1.0.0' }
  const manifest = sampleManifest(registry.identity, {
    server: `${namespace}/tools`,
    tools: signedTools(tools as typeof BENIGN_TOOLS),
    ...(role === 'voucher' ? { role: 'voucher', subject: { packages: [ref] } } : { packages: [ref] }),
  })
  return (await publishManifest(voucher, manifest)).manifest
}

const approve = (digest: string): Promise<number> =>
  approveManifest(world().registry.admin, digest, 'somebody was not careful')

describe.each(WIRES)('A37 a voucher speaks of a server whose publisher speaks for itself (%s)', (sdk) => {
  const at = ['one', 'two', 'three', 'four', 'five', 'six'][WIRES.indexOf(sdk)] ?? ''
  const byPackage = (identifier: string) => ({
    server: undefined as unknown as string,
    package: `npm:${identifier}@1.0.0`,
    slot: `npx ${identifier}`,
  })

  it('it waits for a person; approved all the same, the publisher’s own manifest goes first', async () => {
    const identifier = `@acme-${at}/tools`
    await approve(await vouch(`com.acme-${at}`, identifier, BENIGN_TOOLS, 'publisher'))
    const squatting = await vouch(`org.squat-${at}`, identifier, withEvil)
    const { registry } = world()
    const { body } = expectStatus(200, await registry.admin.get(`/v1/review/${squatting}`))
    expect(body.status).toBe('pending')
    await approve(squatting)

    const server = hostileServer(toolPages(withEvil))
    const host = await world().host({ memory: memoryInProcess() })
    const guarded = await connectGuarded(sdk, server, host, byPackage(identifier))
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(Object.keys(guarded.withheld())).toEqual(['send_mail'])
    expect(await guarded.call('send_mail')).toBe(-32602)
    expect(server.called()).toEqual([])
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('a voucher that only claims a package by the registry’s word is artifact-mismatch', async () => {
    const other = await vouch(`org.claim-${at}`, `other-package-${at}`, withEvil)
    await approve(other)
    const real = world().api()
    const api = world().api({ lookup: () => real.lookup({ package: `npm:other-package-${at}` }) })
    const host = await world().host({ memory: memoryInProcess(), registry: api })
    const guarded = await connectGuarded(
      sdk,
      hostileServer(toolPages(withEvil)),
      host,
      byPackage(`squatted-${at}`),
    )
    expect(await guarded.toolNames()).toEqual([])
    expect(new Set(Object.values(guarded.withheld()))).toEqual(new Set(['artifact-mismatch']))
    expect(guarded.heard()).not.toContain(POISON)
  })

  it('twin: where the publisher does not publish here, the voucher’s word counts', async () => {
    const identifier = `unpublished-${at}`
    await approve(await vouch(`org.honest-${at}`, identifier, BENIGN_TOOLS))
    const host = await world().host({ memory: memoryInProcess() })
    const guarded = await connectGuarded(
      sdk,
      hostileServer(toolPages(BENIGN_TOOLS)),
      host,
      byPackage(identifier),
    )
    expect(await guarded.toolNames()).toEqual(benignNames())
    expect(guarded.withheld()).toEqual({})
  })
})
