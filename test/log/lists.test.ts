import { describe, expect, it } from 'vitest'
import { formatRevocations } from 'countersign/core'
import { openRevocationLists } from '../../src/log/lists.js'

const ROOT = 'a'.repeat(64)
const OTHER = 'b'.repeat(64)

/** Lists that are read when they are let: what was asked for, and how many are under way at once. */
function heldStore(lists: Readonly<Record<string, readonly string[]>>) {
  const held: (() => void)[] = []
  const asked: string[] = []
  return {
    asked,
    letGo: () => held.shift()?.(),
    readRevocationList: async (rootHex: string): Promise<string[] | undefined> => {
      asked.push(rootHex)
      await new Promise<void>((resolve) => held.push(resolve))
      return lists[rootHex]?.slice()
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('revocation lists', () => {
  it('are what the store has, in one document', async () => {
    const lines = Array.from({ length: 5000 }, (_, n) => `server\0com.example/${String(n).padStart(6, '0')}`)
    const list = openRevocationLists({
      readRevocationList: (rootHex) => Promise.resolve(rootHex === ROOT ? lines : undefined),
    })
    expect(Buffer.compare((await list(ROOT))!, formatRevocations(lines))).toBe(0)
    expect(await list(OTHER)).toBeUndefined()
  })

  it('may be empty', async () => {
    const list = openRevocationLists({ readRevocationList: () => Promise.resolve([]) })
    expect((await list(ROOT))?.length).toBe(0)
  })

  it('are made once for all who ask meanwhile, and again for who asks later', async () => {
    const store = heldStore({ [ROOT]: ['tool\0x'] })
    const list = openRevocationLists(store)
    const many = Array.from({ length: 50 }, () => list(ROOT))
    await turn()
    expect(store.asked).toEqual([ROOT])
    store.letGo()
    expect(new Set(await Promise.all(many)).size).toBe(1)
    const again = list(ROOT)
    await turn()
    store.letGo()
    await again
    expect(store.asked).toEqual([ROOT, ROOT])
  })

  it('are made one at a time, whatever their roots', async () => {
    const store = heldStore({ [ROOT]: ['tool\0x'], [OTHER]: ['tool\0y'] })
    const list = openRevocationLists(store)
    const both = [list(ROOT), list(OTHER)]
    await turn()
    expect(store.asked).toEqual([ROOT])
    store.letGo()
    await both[0]
    await turn()
    expect(store.asked).toEqual([ROOT, OTHER])
    store.letGo()
    expect(Buffer.from((await both[1])!).toString()).toBe('tool\0y\n')
  })

  it('that cannot be read fail for who asked, and for nobody after them', async () => {
    let isBroken = true
    const list = openRevocationLists({
      readRevocationList: () => (isBroken ? Promise.reject(new Error('no disk')) : Promise.resolve([])),
    })
    await expect(Promise.all([list(ROOT), list(ROOT)])).rejects.toThrow('no disk')
    isBroken = false
    expect((await list(ROOT))?.length).toBe(0)
  })

  it.each(['', 'A'.repeat(64), '../../etc', 'a'.repeat(63)])('never ask the store for %j', async (name) => {
    const store = heldStore({})
    expect(await openRevocationLists(store)(name)).toBeUndefined()
    expect(store.asked).toEqual([])
  })

  it('of many lines are written in turns: the process does other things meanwhile', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => `tool\0${n}`)
    const list = openRevocationLists({ readRevocationList: () => Promise.resolve(lines) })
    let turns = 0
    let isMaking = true
    const count = (): void => {
      turns++
      if (isMaking) setImmediate(count)
    }
    setImmediate(count)
    await list(ROOT)
    isMaking = false
    expect(turns).toBeGreaterThan(5)
  })
})
