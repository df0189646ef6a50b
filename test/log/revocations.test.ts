import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, revocationRoot, sortRevocations } from 'countersign/core'
import {
  changeRevocations,
  NO_REVOCATIONS,
  openRevocations,
  revocationTreeRoot,
  type RevocationTree,
} from '../../src/log/revocations.js'

const line = (n: number): string => `server\0com.example/server-${n}`
const opened = (numbers: readonly number[]) => openRevocations(sortRevocations(numbers.map(line)))

/** The value alone decides: whatever way it was made, the tree over these lines is this one. */
async function expectTree(tree: RevocationTree, lines: readonly string[]): Promise<void> {
  expect(tree.lines).toEqual(lines)
  expect(revocationTreeRoot(tree)).toEqual(revocationRoot(lines))
  expect(tree).toEqual(await openRevocations(lines))
}

describe('the tree of revocations', () => {
  it('of no lines is the empty tree', async () => {
    expect(revocationTreeRoot(NO_REVOCATIONS)).toEqual(EMPTY_ROOT)
    await expectTree(await openRevocations([]), [])
    const gone = await changeRevocations(await opened([1]), new Map([[line(1), false]]))
    await expectTree(gone, [])
  })

  it('has the root of the list for every number of lines', async () => {
    let tree = NO_REVOCATIONS
    for (let n = 1; n <= 70; n++) {
      tree = await changeRevocations(tree, new Map([[line(n), true]]))
      await expectTree(tree, sortRevocations(Array.from({ length: n }, (_, i) => line(i + 1))))
    }
  })

  it('changes by any changes to the tree of what stands then', async () => {
    const numbers = fc.uniqueArray(fc.nat(60))
    const changes = fc.array(fc.tuple(fc.nat(60), fc.boolean()))
    await fc.assert(
      fc.asyncProperty(numbers, changes, async (before, changed) => {
        const tree = await opened(before)
        const stands = new Set(before)
        for (const [n, now] of changed) {
          if (now) stands.add(n)
          else stands.delete(n)
        }
        const after = await changeRevocations(tree, new Map(changed.map(([n, now]) => [line(n), now])))
        await expectTree(after, sortRevocations([...stands].map(line)))
        await expectTree(tree, sortRevocations(before.map(line)))
      }),
      { numRuns: 300 },
    )
  })

  it('sorts by bytes, not by UTF-16 units', async () => {
    const lines = ['tool\0\u{1f600}', 'tool\0\ufb33', 'tool\0a', 'tool', 'tool\0']
    const tree = await changeRevocations(NO_REVOCATIONS, new Map(lines.map((one) => [one, true])))
    await expectTree(tree, sortRevocations(lines))
  })

  it('is the same value when nothing changes', async () => {
    const tree = await opened([1, 2])
    const nothing = new Map([
      [line(1), true],
      [line(3), false],
    ])
    expect(await changeRevocations(tree, nothing)).toBe(tree)
  })

  it('of many lines hashes in turns: the process does other things meanwhile', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, n) => `server\0com.example/${String(n).padStart(6, '0')}`,
    )
    let tree = await openRevocations(lines)
    let turns = 0
    let changing = true
    const count = (): void => {
      turns++
      if (changing) setImmediate(count)
    }
    setImmediate(count)
    tree = await changeRevocations(tree, new Map([['manifest\0first', true]]))
    changing = false
    expect(turns).toBeGreaterThan(5)
    expect(revocationTreeRoot(tree)).toEqual(revocationRoot(['manifest\0first', ...lines]))
  })
})
