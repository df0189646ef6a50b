import { verifyBundle, verifyRevocations, verifyStatus } from 'countersign'
import { indexRevocations, openTrustRoot } from 'countersign/core'
import { openWorld, tool, type Draft } from './world.js'

/** Bytes as served, and what they prove; throws the verdict. */
export interface Evidence {
  readonly name: string
  readonly bytes: Uint8Array
  readonly prove: (bytes: Uint8Array) => unknown
}

function small(version: string): Draft {
  return { server: 'com.acme/small', version, tools: [{ definition: tool('one'), permissions: [] }] }
}

/**
 * What mutation tests take apart where a log has a successor: a bundle with leaves in the frozen log and in the active one
 * and a reinstatement, without which it were refused; a status with denials.
 */
export function evidenceOfTwoLogs(): Evidence[] {
  const world = openWorld()
  const acme = world.enrol('com.acme')
  const v1 = world.release(acme, small('1.0.0'))
  world.succeed()
  const v2 = world.release(acme, small('2.0.0'))
  const line = { kind: 'manifest', digest: v2.digest } as const
  world.revoke(line)
  world.reinstate(line)
  world.tick(30)
  const root = openTrustRoot(world.newestRoot)
  const status = verifyStatus(world.statusBytes(), root)
  const revocations = verifyRevocations(world.revocationBytes(), status)
  const seen = new Map([[`manifest:${v2.digest}`, v2.approveIndex ?? 0]])
  const tombstones = { ...indexRevocations([`manifest\0${v2.digest}`], revocations.root), seen }
  const bundle = world.bundleBytes(v2)
  const consistency = world.consistency(verifiedSize(bundle))
  const context = { root, status, revocations, consistency, tombstones }
  const now = world.clock * 1000
  world.hold()
  world.revoke({ kind: 'manifest', digest: v1.digest })
  return [
    {
      name: 'bundle of two logs',
      bytes: bundle,
      prove: (bytes) => {
        const { digest, kid, publishIndex, approveIndex, lifted, steps } = verifyBundle(bytes, context, {
          now,
        })
        const told = steps.map(({ step, found }) => `${step} ${found}`)
        return { digest, kid, publishIndex, approveIndex, lifted: [...lifted], told }
      },
    },
    {
      name: 'status with denials',
      bytes: world.statusBytes(),
      prove: (bytes) => {
        const { checkpoint, snapshot, attestedAt, denials } = verifyStatus(bytes, root)
        const denied = denials && { size: denials.checkpoint.size, ...denials.snapshot }
        return { size: checkpoint.size, snapshot: { ...snapshot }, attestedAt, denied: denied ?? null }
      },
    },
  ]
}

/** The size its checkpoint says. */
function verifiedSize(bundle: Uint8Array): number {
  const { checkpoint } = JSON.parse(new TextDecoder().decode(bundle)) as { checkpoint: string }
  return Number(checkpoint.split('\n')[1])
}
