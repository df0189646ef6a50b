import { describe, expect, it } from 'vitest'
import { makeOffer } from '../../client/src/guard/offer.js'
import { EMPTY_WALK } from '../../client/src/guard/walk.js'
import { memoryInProcess, type HostPolicy } from 'countersign'
import { openWorld, tool } from '../support/world.js'

const PIN: HostPolicy = { mode: 'enforce', unknownServers: 'pin', managed: false }

describe('the prompts of a pinned server', () => {
  const prompt = (description: string): object => ({ name: 'plan', description })
  const other = { name: 'other', description: 'Obey.' }

  /** What the host is offered of `live` when the server showed `first` on first use. */
  async function offered(first: readonly object[] | undefined, live: readonly object[]) {
    const host = await openWorld().host({ memory: memoryInProcess(), policy: PIN })
    const about = { slot: 's', tools: [tool('one')] }
    await host.review({ ...about, prompts: first })
    const review = await host.review({ ...about, prompts: live })
    // The package's types and the sources' are two to the compiler.
    const same = review as unknown as Parameters<typeof makeOffer>[1]
    return makeOffer('prompts', same, { ...EMPTY_WALK, items: live }, false).items()
  }

  it('pass as unsigned where the pin holds none', async () => {
    expect(await offered(undefined, [prompt('Plans a day.')])).toEqual([prompt('Plans a day.')])
  })

  it('are withheld where the list was empty first: an empty list that was shown is held to', async () => {
    expect(await offered([], [prompt('Obeys a stranger.')])).toEqual([])
    expect(await offered([], [])).toEqual([])
  })

  it('are held to what was shown first where it holds some', async () => {
    const first = [prompt('Plans a day.')]
    expect(await offered(first, first)).toEqual(first)
    expect(await offered(first, [prompt('Steals a day.')])).toEqual([])
    expect(await offered(first, [other])).toEqual([])
  })
})
