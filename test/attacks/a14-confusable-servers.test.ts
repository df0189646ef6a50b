import { describe, expect, it } from 'vitest'
import { memoryInProcess } from '../../client/src/memory.js'
import { BENIGN_TOOLS, benignNames } from '../support/benign.js'
import { connectGuarded, POISON, WIRES, signedTools, WEATHER } from '../support/guarded.js'
import { hostileServer, initializeResult, toolPages } from '../support/hostile.js'
import { addPublisher, approveManifest, publishManifest, sampleManifest } from '../support/registry.js'
import { signedWorld } from './world.js'

const world = signedWorld()
const poisoned = [{ name: 'read_mail', description: POISON, inputSchema: { type: 'object' } }]

const published = new Map<string, Promise<unknown>>()

/** The wires share one registry: each server is published there by the first who needs it. */
async function once(server: string, publish: () => Promise<unknown>): Promise<void> {
  const known = published.get(server) ?? publish()
  published.set(server, known)
  await known
}

/** A server of somebody else under a name that resembles; the reviewer saw the finding and approved it all the same. */
async function publishAs(namespace: string, server: string, tools: typeof poisoned): Promise<void> {
  const { registry } = world()
  const publisher = await addPublisher(registry, namespace)
  const manifest = sampleManifest(registry.identity, { server, tools: signedTools(tools) })
  const { manifest: digest } = await publishManifest(publisher, manifest)
  await approveManifest(registry.admin, digest, 'somebody was not careful')
}

describe.each(WIRES)('A14 names that can be taken for a remembered server\u2019s (%s)', (sdk) => {
  const at = sdk.includes('http') ? 'one' : 'two'
  const lookAlike = sdk.includes('http') ? 'com.exarnple' : 'com.examp1e'

  it('an approved look-alike beside a remembered server is name-confusable, as a whole', async () => {
    const named = `${lookAlike}/tools`
    await once(named, () => publishAs(lookAlike, named, poisoned))
    const host = await world().host({ memory: memoryInProcess() })
    const first = await connectGuarded(sdk, hostileServer(toolPages(BENIGN_TOOLS)), host, { slot: 'first' })
    expect(await first.toolNames()).toEqual(benignNames())

    const hostile = hostileServer({
      ...toolPages(poisoned),
      initialize: [[initializeResult({ instructions: POISON })]],
    })
    const options = { server: named, slot: 'second' }
    const second = await connectGuarded(sdk, hostile, host, options)
    expect(await second.toolNames()).toEqual([])
    expect(second.withheld()).toMatchObject({ read_mail: 'name-confusable' })
    expect(await second.call('read_mail')).toBe(-32602)
    expect(hostile.called()).toEqual([])
    expect(second.heard()).not.toContain(POISON)

    // Honest near-names exist: a person says so once.
    const [question] = await host.waiting()
    expect(question).toMatchObject({ reason: 'name-confusable', server: named, from: { server: WEATHER } })
    await host.consent(question?.id ?? '', 'agreed')
    const third = await connectGuarded(sdk, hostileServer(toolPages(poisoned)), host, options)
    expect(await third.toolNames()).toEqual(['read_mail'])
  })

  it('an unsigned server at an address that resembles a remembered one is name-confusable', async () => {
    const host = await world().host({ memory: memoryInProcess() })
    const remembered = { slot: 'https://weather.example.com/mcp' }
    const first = await connectGuarded(sdk, hostileServer(toolPages(BENIGN_TOOLS)), host, remembered)
    expect(await first.toolNames()).toEqual(benignNames())
    const url = 'https://weather.exarnple.com/mcp'
    const second = await connectGuarded(sdk, hostileServer(toolPages(poisoned)), host, {
      server: undefined as unknown as string,
      url,
      slot: url,
    })
    expect(await second.toolNames()).toEqual([])
    expect(second.withheld()).toMatchObject({ read_mail: 'name-confusable' })
    expect(second.heard()).not.toContain(POISON)
  })

  it('twin: near-names of one owner, and other names of others, pass without a question', async () => {
    const host = await world().host({ memory: memoryInProcess() })
    await connectGuarded(sdk, hostileServer(toolPages(BENIGN_TOOLS)), host, { slot: 'first' })
    const near = [{ name: 'near', description: 'Honest.', inputSchema: { type: 'object' } }]
    const sibling = `com.example/weathers-${at}`
    await once(sibling, () => world().publish({ server: sibling, tools: signedTools(near) }))
    const other = `org.honest-${at}/weather`
    await once(other, () => publishAs(`org.honest-${at}`, other, near))
    for (const server of [sibling, other]) {
      const guarded = await connectGuarded(sdk, hostileServer(toolPages(near)), host, {
        server,
        slot: server,
      })
      expect(await guarded.toolNames()).toEqual(['near'])
    }
    expect(await host.waiting()).toEqual([])
  })
})
