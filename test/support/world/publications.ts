import {
  envelopeDigest,
  formatManifest,
  manifestDigest,
  publishLeaf,
  signEnvelope,
  toolDigest,
  type ApproveEvent,
  type Digest,
  type JsonObject,
  type Manifest,
  type RevocationLine,
  type Signer,
} from 'countersign/core'
import { manifestOf, type Draft } from './drafts.js'
import { signedByAll } from './keys.js'
import type { Ledger } from './ledger.js'
import type { Publisher } from './namespaces.js'

const POLICY_DIGEST: Digest = `sha256:${'0'.repeat(64)}`

export interface Published {
  readonly manifest: Manifest
  readonly server: string
  readonly version: string
  readonly digest: Digest
  readonly envelope: string
  readonly kid: string
  readonly namespace: string
  readonly index: number
  approveIndex?: number
}

/** The tools of a publication as an honest server lists them: plain objects of their own. */
export function toolsOf(published: Published): JsonObject[] {
  return published.manifest.tools.map((one) => structuredClone({ ...one.definition }))
}

export interface PublishChange {
  readonly by?: Signer
  readonly registry?: string
  readonly forge?: (envelope: string) => string
}

/** What a reinstatement lifts; a key's end is final. */
export type Liftable = Exclude<RevocationLine, { kind: 'key' }>

interface Reinstated {
  readonly position: number
  readonly target: string
}

/** What was published, and what was decided about it. */
export class Publications {
  readonly #ledger: Ledger
  #published: Published[]
  readonly #reinstated: Reinstated[]

  constructor(ledger: Ledger, published: readonly Published[] = [], reinstated: readonly Reinstated[] = []) {
    this.#ledger = ledger
    this.#published = published.map((one) => ({ ...one }))
    this.#reinstated = [...reinstated]
  }

  fork(ledger: Ledger): Publications {
    return new Publications(ledger, this.#published, this.#reinstated)
  }

  get all(): readonly Published[] {
    return this.#published
  }

  /** Forgets what ends behind a position, as a registry does that goes on from a backup. */
  cutOff(position: number): void {
    this.#published = this.#published.filter((one) => (one.approveIndex ?? one.index) < position)
  }

  publish({ namespace, sign }: Publisher, draft: Draft, change: PublishChange): Published {
    const { by = sign, registry = this.#ledger.keys.identity } = change
    const manifest = manifestOf(draft, registry)
    const payload = formatManifest(manifest)
    const honest = signEnvelope('countersign-manifest+json', payload, by)
    const envelope = change.forge?.(honest) ?? honest
    const { server, version, role } = manifest
    const { kid } = by
    const digest = manifestDigest(payload)
    const about = { server, version, role, kid }
    const leaf = publishLeaf({ ...about, manifest: digest, envelope: envelopeDigest(envelope) })
    const index = this.#ledger.append(leaf)
    const published: Published = { manifest, server, version, digest, envelope, kid, namespace, index }
    this.#published.push(published)
    return published
  }

  approve(
    published: Published,
    change: Partial<ApproveEvent> = {},
    by: readonly Signer[] = this.#ledger.keys.approvers,
  ): Published {
    const unsigned = {
      v: 1 as const,
      t: 'approve' as const,
      server: published.server,
      version: published.version,
      manifest: published.digest,
      policy: POLICY_DIGEST,
      deciders: ['acc-2'],
      after: published.index,
      ...change,
    }
    published.approveIndex = this.#ledger.append(signedByAll(unsigned, this.#ledger.keys.identity, by))
    return published
  }

  reinstate(line: Liftable, by: readonly Signer[] = this.#ledger.keys.approvers): number {
    const { keys, logs, revocations } = this.#ledger
    const named = line.kind === 'server' ? { name: line.name } : { digest: line.digest }
    const unsigned = {
      v: 1 as const,
      t: 'reinstate' as const,
      target: line.kind,
      ...named,
      reason: 'was in error',
      deciders: ['acc-2', 'acc-3'],
      after: logs.end - 1,
    }
    revocations.drop(line)
    const position = this.#ledger.append(signedByAll(unsigned, keys.identity, by))
    this.#reinstated.push({ position, target: line.kind === 'server' ? line.name : line.digest })
    return position
  }

  /** Positions of the reinstatements about a publication: of its manifest, its server and its tools. */
  reinstatementsOf({ digest, server, manifest }: Published): number[] {
    const tools = manifest.tools.map(({ definition }) => toolDigest(definition))
    const about = new Set<string>([digest, server, ...tools])
    return this.#reinstated.flatMap(({ target, position }) => (about.has(target) ? [position] : []))
  }
}
