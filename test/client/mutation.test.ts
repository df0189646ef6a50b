import { describe, expect, it } from 'vitest'
import {
  CountersignError,
  isVerdict,
  readBundleSize,
  verifyBundle,
  verifyRevocations,
  verifyStatus,
} from 'countersign'
import { canonicalize } from 'countersign/core'
import { evidenceOfTwoLogs } from '../support/two-logs.js'
import { mutate, openWorld, tool } from '../support/world.js'

// Sampled here; in the soak run every byte of what a real registry serves becomes twenty others, goes and doubles.

function smallWorld() {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  const v1 = world.release(acme, {
    server: 'com.acme/small',
    version: '1.0.0',
    tools: [{ definition: tool('one'), permissions: [] }],
  })
  world.tick(30)
  return { world, v1 }
}

/** What a mutated input may do: be refused with a verdict, or change nothing at all of what was proved. */
function outcome(run: () => unknown): string {
  try {
    return canonicalize(run())
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return isVerdict(error.code) ? 'refused' : `no verdict: ${error.code}`
  }
}

function cases() {
  const { world, v1 } = smallWorld()
  const { root } = world
  const statusBytes = world.statusBytes()
  const bundleBytes = world.bundleBytes(v1)
  const consistency = world.consistency(readBundleSize(bundleBytes))
  const status = verifyStatus(statusBytes, root)
  const revocations = verifyRevocations(world.revocationBytes(), status)
  const proveBundle = (bytes: Uint8Array) => {
    const proved = verifyBundle(
      bytes,
      { root, status, revocations, consistency },
      { now: world.clock * 1000 },
    )
    return JSON.parse(
      JSON.stringify([proved.manifest, proved.digest, proved.kid, proved.publishIndex, proved.steps]),
    ) as unknown
  }
  const proveStatus = (bytes: Uint8Array) => {
    const { checkpoint, snapshot, attestedAt, independentWitnesses } = verifyStatus(bytes, root)
    return {
      size: checkpoint.size,
      root: [...checkpoint.root],
      snapshot: { ...snapshot },
      attestedAt,
      independentWitnesses,
    }
  }
  return [
    { name: 'bundle', bytes: bundleBytes, prove: proveBundle },
    { name: 'status', bytes: statusBytes, prove: proveStatus },
    ...evidenceOfTwoLogs(),
  ]
}

describe.each(cases())('every changed byte of a $name', ({ bytes, prove }) => {
  const honest = outcome(() => prove(bytes))

  it('is honest unchanged', () => {
    expect(honest).not.toBe('refused')
  })

  it('is refused or changes nothing', () => {
    const wrong: string[] = []
    for (let at = 0; at < bytes.length; at += 3) {
      const mask = 1 << (at % 7)
      const found = outcome(() => prove(mutate(bytes, at, mask)))
      if (found !== 'refused' && found !== honest) wrong.push(`${at} ^ ${mask}: ${found.slice(0, 80)}`)
    }
    expect(wrong).toEqual([])
  })

  it('cut short or with something behind it is refused', () => {
    for (const length of [0, 1, bytes.length >> 1, bytes.length - 1]) {
      expect(outcome(() => prove(bytes.slice(0, length)))).toBe('refused')
    }
    expect(outcome(() => prove(Uint8Array.from([...bytes, 0x7d])))).toBe('refused')
  })
})
