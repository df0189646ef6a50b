import { describe, expect, it } from 'vitest'
import { EMPTY_SERVER_MEMORY } from '../../client/src/memory.js'
import { openWorld, signerNamed, tool, toolsOf, type Published, type World } from '../support/world.js'
import { allowed, codes, draft, PINS, restarting } from './consent-support.js'

const all = ({ server, ...one }: Published) => ({
  server,
  slot: `npx ${server}`,
  tools: toolsOf({ server, ...one }),
})

function neighbours(world: World = openWorld()) {
  const acme = world.release(world.enrol('com.acme'), draft('1.0.0', [tool('send_invoice')]))
  return { world, acme, host: restarting(world, PINS) }
}

/** Told apart from `com.acme/weather` by two letters that look like one. */
const TWIN = 'com.acrne/weather'

describe('a server whose name can be taken for one in use', () => {
  async function twins() {
    const { world, acme, host } = neighbours()
    const twin = world.release(world.enrol('com.acrne'), draft('1.0.0', [tool('radar')], { server: TWIN }))
    await host.review(all(acme))
    return { world, acme, twin, host, review: await host.review(all(twin)) }
  }

  it('is withheld whole, is not in use yet, and is asked about once', async () => {
    const { acme, twin, host, review } = await twins()
    expect([review.verdict, allowed(review)]).toEqual(['name-confusable', []])
    expect((await host.review(all(twin))).verdict).toBe('name-confusable')
    const waiting = await host.waiting()
    expect(waiting).toMatchObject([
      {
        reason: 'name-confusable',
        server: TWIN,
        from: { server: acme.server },
        to: { manifest: twin.digest },
      },
    ])
    expect(review.withheld[0]?.detail['question']).toBe(waiting[0]?.id)
    const kept = await host.memory.listServers((await host.open()).identity)
    expect(kept.find(({ key }) => key.server === TWIN)?.memory.accepted).toEqual([])
    expect(codes(await host.review(all(acme)))).toEqual({})
  })

  it('agreed: it passes, and so do its next versions', async () => {
    const { world, twin, host } = await twins()
    await host.answer('agreed')
    const review = await host.review(all(twin))
    expect([codes(review), review.firstUse]).toEqual([{}, true])
    const next = world.release(
      { namespace: 'com.acrne', ...keysOf('com.acrne') },
      draft('1.0.1', [tool('radar', { description: 'Sees rain.' })], { server: TWIN }),
    )
    expect([codes(await host.review(all(next))), await host.waiting()]).toEqual([{}, []])
  })

  it('refused: stays withheld', async () => {
    const { twin, host } = await twins()
    await host.answer('refused')
    const review = await host.review(all(twin))
    expect([review.verdict, review.withheld[0]?.detail['refused']]).toEqual(['name-confusable', true])
    expect(await host.waiting()).toEqual([])
  })
})

describe('names of tools that two servers have', () => {
  it('one that nobody signed takes none of an approved server; the rest of it goes on', async () => {
    const { acme, host } = neighbours()
    await host.review(all(acme))
    const input = { slot: 'npx pinned', tools: [tool('send_invoice'), tool('weather_map')] }
    const review = await host.review(input)
    expect([codes(review), allowed(review)]).toEqual([
      { 'tool send_invoice': 'name-shadowed' },
      ['weather_map'],
    ])
    await host.answer('agreed')
    expect(codes(await host.review(input))).toEqual({})
    expect(codes(await host.review(all(acme)))).toEqual({})
  })

  it('of more servers than questions are kept: asked about in turns, and each question stays', async () => {
    const { world, host } = neighbours()
    const names = Array.from({ length: 40 }, (_, i) => `send_invoice_${i}`)
    for (const [i, name] of names.entries()) {
      const server = `com.owner${i}/books`
      const accepted = [{ version: '1.0.0', manifest: `sha256:${'0'.repeat(64)}` }]
      await host.memory.updateServer({ identity: world.identity, server, slot: server }, () => ({
        ...EMPTY_SERVER_MEMORY,
        accepted,
        tools: [name],
        since: 1,
      }))
    }
    const input = { slot: 'npx pinned', tools: [...names, 'weather_map'].map((name) => tool(name)) }
    for (const left of [40, 24, 8]) {
      const review = await host.review(input)
      expect(Object.values(codes(review))).toEqual(Array(left).fill('name-shadowed'))
      const [waiting, asked] = [await host.waiting(), host.told('asked').length]
      expect(Object.keys(codes(await host.review(input)))).toHaveLength(left)
      expect([await host.waiting(), host.told('asked').length]).toEqual([waiting, asked])
      await host.answer('agreed')
    }
    expect([codes(await host.review(input)), host.told('asked').length]).toEqual([{}, 40])
  })

  it('two approved ones share them: told, and nothing else', async () => {
    const { world, acme, host } = neighbours()
    const other = world.release(
      world.enrol('org.ledger'),
      draft('1.0.0', [tool('send_invoice')], { server: 'org.ledger/books' }),
    )
    await host.review(all(acme))
    expect(codes(await host.review(all(other)))).toEqual({})
    expect(host.told('shadowed')).toHaveLength(1)
    expect(await host.waiting()).toEqual([])
  })
})

describe('a server whose list never holds together', () => {
  const junk = tool('junk')
  const broken = (one: Published) => ({ ...all(one), tools: [...toolsOf(one), junk] })

  it('is a neighbour all the same: nobody takes the names that are in use here', async () => {
    const { acme, host } = neighbours()
    expect(codes(await host.review(broken(acme)))).toEqual({ 'tool junk': 'unlisted-tool' })
    const input = { slot: 'npx pinned', tools: [tool('send_invoice'), tool('weather_map')] }
    const review = await host.review(input)
    expect([codes(review), allowed(review)]).toEqual([
      { 'tool send_invoice': 'name-shadowed' },
      ['weather_map'],
    ])
  })

  it('was here first: its twin is the newcomer, and not the other way round', async () => {
    const { world, acme, host } = neighbours()
    const twin = world.release(world.enrol('com.acrne'), draft('1.0.0', [tool('radar')], { server: TWIN }))
    await host.review(broken(acme))
    world.wait(60)
    expect((await host.review(all(twin))).verdict).toBe('name-confusable')
    expect(codes(await host.review(broken(acme)))).toEqual({ 'tool junk': 'unlisted-tool' })
  })

  it('of which nothing went on is nobody’s neighbour', async () => {
    const { acme, host } = neighbours()
    expect(allowed(await host.review({ ...all(acme), tools: [junk] }))).toEqual([])
    expect(codes(await host.review({ slot: 'npx pinned', tools: [tool('send_invoice')] }))).toEqual({})
  })
})

describe('a host that stays open', () => {
  it('looks at the neighbours again when another server came, and not at each listing', async () => {
    const { world, acme, host } = neighbours()
    const reads = { all: 0 }
    const memory = {
      ...host.memory,
      listServers: (identity: string) => {
        reads.all += 1
        return host.memory.listServers(identity)
      },
    }
    const open = await world.host({ memory, policy: PINS })
    for (let i = 0; i < 4; i++) await open.review(all(acme))
    const before = reads.all
    await open.review(all(acme))
    expect(reads.all).toBe(before)
    expect((await open.review({ slot: 'npx pinned', tools: [tool('weather_map')] })).firstUse).toBe(true)
    await open.review(all(acme))
    expect(reads.all).toBeGreaterThan(before + 1)
  })
})

function keysOf(namespace: string) {
  return { own: signerNamed(`${namespace} own`), sign: signerNamed(`${namespace} sign`) }
}
