import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  consistencyProof,
  cosigner,
  encodeBase64,
  encodeKeyX,
  envelopeDigest,
  eventTarget,
  formatBundle,
  formatCheckpointBody,
  formatEntryBundle,
  formatEvent,
  formatManifest,
  formatNote,
  formatRevocations,
  formatStatus,
  formatTime,
  formatVerifierKey,
  inclusionProof,
  leafHash,
  manifestDigest,
  merkleRoot,
  noteSigner,
  openTrustRoot,
  parseTilePath,
  parseEvent,
  registryIdentity,
  revocationRoot,
  rootFingerprint,
  rootNoteDigest,
  signEnvelope,
  signKeyAddEvent,
  signKeyRevokeEvent,
  signNamespaceEvent,
  sortRevocations,
  toHex,
  utf8Bytes,
  type ApproveEvent,
  type Digest,
  type KeyThreshold,
  type LogEvent,
  type PublishEvent,
  type Signer,
  type SnapshotEvent,
  type TrustRootBody,
} from 'countersign/core'
import { newKey, sampleManifest } from '../support/registry.js'
import { signedByAll } from '../support/world/keys.js'
import { treeReader } from '../support/world/logs.js'
import { policyText, trustRootNote, witnessName } from '../support/world/roots.js'

/** One log of the registry: what it signed and what it serves. */
interface OneLog {
  readonly origin: string
  readonly signer: Signer
  leaves: string[]
}

/** What a path is answered with; undefined: 404. */
export type Bend = (path: string, body: Uint8Array | undefined) => Uint8Array | string | undefined

export interface Owner {
  readonly namespace: string
  readonly own: Signer
  readonly sign: Signer
}

export interface Released {
  readonly manifest: Digest
  readonly event: PublishEvent
  readonly envelope: string
  readonly index: number
}

export interface LogWorldOptions {
  readonly approvers?: KeyThreshold
  /** How many witnesses must cosign. */
  readonly witnesses?: number
}

/**
 * A registry's log with all of its keys, for what no registry would do: any leaf, any tree, any note, served by a small
 * static server that bends what it is told to. Positions go on over successors.
 */
export class LogWorld {
  readonly rootKey: Signer = newKey()
  readonly timestamper: Signer = newKey()
  readonly witnesses: readonly Signer[]
  readonly identity: string
  readonly logs: OneLog[] = []
  readonly roots: string[] = []
  readonly lines = new Set<string>()
  readonly bundles = new Map<string, () => Uint8Array>()
  /** What is published; later leaves are committed only. */
  published: number | undefined
  bend: Bend = (_, body) => body
  /** Answers everything with 503. */
  down = false
  /** The paths that were asked for. */
  readonly asked: string[] = []
  #frozen: TrustRootBody['logs'] = []
  #latest = new Map<string, number>()
  #rootVersion = 0
  #people: Pick<TrustRootBody, 'approvers'>

  constructor({ approvers, witnesses = 0 }: LogWorldOptions = {}) {
    this.identity = registryIdentity(this.rootKey.publicKey)
    this.witnesses = Array.from({ length: witnesses }, newKey)
    this.#people = { ...(approvers && { approvers }) }
    this.logs.push({ origin: `${this.identity}/log`, signer: newKey(), leaves: [] })
    this.signRoot()
    this.logRoot()
  }

  /** The same keys and the same past, with a future of its own. */
  fork(): LogWorld {
    const twin = Object.assign(Object.create(LogWorld.prototype) as LogWorld, this)
    return Object.assign(twin, {
      logs: this.logs.map((log) => ({ ...log, leaves: [...log.leaves] })),
      lines: new Set(this.lines),
    })
  }

  // ------------------------------------------------------------------------------------------------ roots

  get trust() {
    const [rootNote = ''] = this.roots
    return { identity: this.identity, rootNote, fingerprint: rootFingerprint(openTrustRoot(rootNote).text) }
  }

  get log(): OneLog {
    return this.logs.at(-1)!
  }

  /** Signs the next version and serves it. */
  signRoot(change: Partial<TrustRootBody> = {}): string {
    const { identity, log, witnesses } = this
    const body: TrustRootBody = {
      expires: formatTime(Math.floor(Date.now() / 1000) + 31_000_000),
      freshness: { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 },
      logs: [
        ...this.#frozen,
        {
          origin: log.origin,
          vkey: formatVerifierKey(log.origin, 1, log.signer.publicKey),
          status: 'active',
        },
      ],
      timestamper: formatVerifierKey(`${identity}/timestamper`, 4, this.timestamper.publicKey),
      policy: policyText(witnesses, witnesses.length),
      rootKeys: [formatVerifierKey(`${identity}/root`, 1, this.rootKey.publicKey)],
      threshold: 1,
      ...this.#people,
      ...change,
    }
    const note = trustRootNote(identity, this.roots.length + 1, body, [this.rootKey])
    this.roots.push(note)
    return note
  }

  logRoot(): number {
    this.#rootVersion = this.roots.length
    return this.append({
      v: 1,
      t: 'root',
      version: this.#rootVersion,
      digest: rootNoteDigest(this.roots.at(-1)!),
    })
  }

  /** Freezes the log at its end, or at an earlier size, and goes on in a successor. */
  succeed(change: { readonly size?: number; readonly first?: LogEvent | undefined } = {}): void {
    const { log } = this
    const size = change.size ?? log.leaves.length
    log.leaves = log.leaves.slice(0, size)
    const root = encodeBase64(this.treeRoot(log, size))
    const vkey = formatVerifierKey(log.origin, 1, log.signer.publicKey)
    this.#frozen = [...this.#frozen, { origin: log.origin, vkey, status: 'frozen', final: { size, root } }]
    this.logs.push({ origin: `${this.identity}/log-${this.logs.length + 1}`, signer: newKey(), leaves: [] })
    this.signRoot()
    this.put('first' in change ? change.first! : { v: 1, t: 'continue', origin: log.origin, size, root })
    this.logRoot()
  }

  // ----------------------------------------------------------------------------------------------- leaves

  /** Position of the next leaf. */
  get next(): number {
    return this.logs.reduce((all, { leaves }) => all + leaves.length, 0)
  }

  latest(target: string): number {
    return this.#latest.get(target) ?? -1
  }

  /** Logs a leaf alone. */
  put(event: LogEvent | string): number {
    const position = this.next
    const leaf = typeof event === 'string' ? event : formatEvent(event)
    this.log.leaves.push(leaf)
    const target = typeof event === 'string' ? undefined : eventTarget(event)
    if (target !== undefined) this.#latest.set(target, position)
    return position
  }

  /** Logs leaves and an honest snapshot; the position of the first one. */
  append(...events: readonly (LogEvent | string)[]): number {
    const [first = this.next] = events.map((event) => this.put(event))
    this.put(this.snapshot())
    return first
  }

  snapshot(change: Partial<SnapshotEvent> = {}): SnapshotEvent {
    const lines = sortRevocations(this.lines)
    const revocations = encodeBase64(revocationRoot(lines))
    const asOf = this.log.leaves.length
    return {
      v: 1,
      t: 'snapshot',
      asOf,
      revocations,
      count: lines.length,
      rootVersion: this.#rootVersion,
      ...change,
    }
  }

  enrol(namespace: string): Owner {
    const [own, sign] = [newKey(), newKey()]
    const first = signNamespaceEvent({ namespace, proof: 'admin', account: 'owner' }, this.identity, own)
    this.append(first)
    this.append(this.keyAdd({ namespace, own, sign }, sign, 'sign'))
    return { namespace, own, sign }
  }

  keyAdd({ namespace, own }: Owner, key: Signer, role: 'own' | 'sign', by: Signer = own) {
    const after = this.latest(`namespace:${namespace}`)
    return signKeyAddEvent({ namespace, role, after }, this.identity, key, by)
  }

  keyRevoke({ namespace, own }: Owner, { kid }: Signer, invalidFrom?: number) {
    const after = this.latest(`namespace:${namespace}`)
    const about = { namespace, kid, reason: 'compromise', after } as const
    return signKeyRevokeEvent(
      { ...about, ...(invalidFrom !== undefined && { invalidFrom }) },
      this.identity,
      own,
    )
  }

  /** The envelope of a version and the leaf that publishes it. */
  version({ namespace }: Owner, version: string, by: Signer): Omit<Released, 'index'> {
    const server = `${namespace}/server`
    const description = `As of ${version}.`
    const payload = formatManifest(sampleManifest(this.identity, { server, version, description }))
    const envelope = signEnvelope('countersign-manifest+json', payload, by)
    const manifest = manifestDigest(payload)
    const about = { server, version, role: 'publisher', kid: by.kid } as const
    const event = { v: 1, t: 'publish', ...about, manifest, envelope: envelopeDigest(envelope) } as const
    return { manifest, event, envelope }
  }

  publish(owner: Owner, version: string, by: Signer = owner.sign): Released {
    const published = this.version(owner, version, by)
    return { ...published, index: this.append(published.event) }
  }

  approval(
    { manifest, event: { server, version } }: Omit<Released, 'index'>,
    by: readonly Signer[] = [],
  ): ApproveEvent {
    const policy: Digest = `sha256:${'0'.repeat(64)}`
    const after = this.latest(`manifest:${manifest}`)
    const about = { server, version, manifest, policy, deciders: ['reviewer'], after }
    const event: ApproveEvent = { v: 1, t: 'approve', ...about }
    return signedByAll(event, this.identity, by)
  }

  approve(released: Released, by: readonly Signer[] = []): number {
    const index = this.append(this.approval(released, by))
    this.bundles.set(released.manifest, () => this.bundle(released, index))
    return index
  }

  release(owner: Owner, version: string): Released {
    const released = this.publish(owner, version)
    this.approve(released)
    return released
  }

  /** Every key event so far, the publication and the approval, each proved in the log it stands in. */
  bundle({ envelope, index }: Released, approve: number): Uint8Array {
    const { log } = this
    const size = this.published ?? log.leaves.length
    const events = this.logs.flatMap((one, n) => {
      const base = this.logs.slice(0, n).reduce((all, { leaves }) => all + leaves.length, 0)
      const end = one === log ? size : one.leaves.length
      return one.leaves.slice(0, end).flatMap((event, i) => {
        const isKey = /"t":"(?:namespace|key\.add)"/.test(event) && base + i < index
        if (!isKey && base + i !== index && base + i !== approve) return []
        const proof = this.inclusion(one, i, end)
        return [{ ...(one !== log && { log: one.origin }), index: i, event, proof }]
      })
    })
    const checkpoint = this.note(log, size)
    return formatBundle({
      format: 'countersign/bundle/v1',
      registry: this.identity,
      envelope,
      checkpoint,
      events,
    })
  }

  // ------------------------------------------------------------------------------------------------ trees

  #hashes(log: OneLog): Uint8Array[] {
    return log.leaves.map((leaf) => leafHash(utf8Bytes(leaf)))
  }

  #reader(log: OneLog) {
    return treeReader(this.#hashes(log))
  }

  treeRoot(log: OneLog = this.log, size: number = log.leaves.length): Uint8Array {
    return merkleRoot(this.#hashes(log).slice(0, size))
  }

  inclusion(log: OneLog, index: number, size: number): Uint8Array[] {
    return inclusionProof(index, size, this.#reader(log))
  }

  /** A note with the log's signature, the timestamper's and all witnesses' unless told otherwise. */
  note(
    log: OneLog = this.log,
    size: number = this.published ?? log.leaves.length,
    by: 'all' | 'log' | 'timestamper' = 'all',
    root: Uint8Array = this.treeRoot(log, size),
    now: number = Math.floor(Date.now() / 1000),
  ): string {
    const body = formatCheckpointBody({ origin: log.origin, size, root })
    const stamp = cosigner(`${this.identity}/timestamper`, this.timestamper).cosign(body, now)
    const others = this.witnesses.map((one, i) => cosigner(witnessName(i), one).cosign(body, now))
    const lines = { all: [stamp, ...others], timestamper: [stamp], log: [] }[by]
    return formatNote(body, [noteSigner(log.origin, log.signer).sign(body), ...lines])
  }

  status(
    size: number = this.published ?? this.log.leaves.length,
    snapshotOf = size,
    checkpoint = this.note(this.log, size),
  ): Uint8Array {
    const { log, identity: registry } = this
    const [event, proof] = [log.leaves[snapshotOf - 1]!, this.inclusion(log, snapshotOf - 1, snapshotOf)]
    return formatStatus({ format: 'countersign/status/v1', registry, checkpoint, snapshot: { event, proof } })
  }

  // ---------------------------------------------------------------------------------------------- serving

  async serve(): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
    const server: Server = createServer((req, res) => {
      const path = req.url ?? ''
      this.asked.push(path)
      const body = this.bend(path, this.#answer(path))
      if (this.down) return void res.writeHead(503).end()
      res.writeHead(body === undefined ? 404 : 200).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        }),
    }
  }

  #answer(path: string): Uint8Array | undefined {
    const [head = '', rest = ''] = path.startsWith('/log/') ? ['log', path.slice(5)] : ['v1', path.slice(4)]
    if (head === 'v1') return this.#answerV1(rest)
    const [, number, inner = rest] = /^(\d+)\/(.*)$/.exec(rest) ?? []
    const log = number === undefined ? this.log : this.logs[Number(number) - 1]
    if (log === undefined) return undefined
    if (inner === 'checkpoint')
      return utf8Bytes(number === undefined ? this.note() : this.note(log, log.leaves.length, 'log'))
    if (inner === 'checkpoint.committed') return utf8Bytes(this.note(log, log.leaves.length, 'log'))
    return this.#tile(log, inner, number === undefined ? this.published : undefined)
  }

  #tile(log: OneLog, path: string, published = log.leaves.length): Uint8Array | undefined {
    const { level, n, width } = parseTilePath(path)
    if (level === 'entries') {
      const entries = log.leaves.slice(0, published).slice(n * 256, n * 256 + width)
      return entries.length < width ? undefined : formatEntryBundle(entries.map((leaf) => utf8Bytes(leaf)))
    }
    const read = this.#reader({ ...log, leaves: log.leaves.slice(0, published) })
    return Buffer.concat(Array.from({ length: width }, (_, i) => read(level * 8, n * 256 + i)))
  }

  #answerV1(path: string): Uint8Array | undefined {
    if (path === 'status') return this.status()
    const [, root] = /^root\/(\d+)$/.exec(path) ?? []
    if (root !== undefined)
      return this.roots[Number(root) - 1] === undefined ? undefined : utf8Bytes(this.roots[Number(root) - 1]!)
    const [, digest = ''] = /^bundles\/(.*)$/.exec(path) ?? []
    if (digest !== '') return this.bundles.get(digest)?.()
    const [, hex] = /^revocations\/(.*)$/.exec(path) ?? []
    const lines = sortRevocations(this.lines)
    if (hex !== undefined) return toHex(revocationRoot(lines)) === hex ? formatRevocations(lines) : undefined
    const [, from, to, origin] = /^consistency\?from=(\d+)&to=(\d+)(?:&log=(.*))?$/.exec(path) ?? []
    const log =
      origin === undefined ? this.log : this.logs.find((one) => one.origin === decodeURIComponent(origin))
    if (from === undefined || log === undefined) return undefined
    if (Number(to) > (origin === undefined ? (this.published ?? log.leaves.length) : log.leaves.length))
      return undefined
    const proof = consistencyProof(Number(from), Number(to), this.#reader(log)).map(encodeBase64)
    return utf8Bytes(JSON.stringify({ from: Number(from), to: Number(to), proof }))
  }
}

/** People that a root names: their keys, and the set that goes into it. */
export function people(count: number, threshold: number): { signers: Signer[]; set: KeyThreshold } {
  const signers = Array.from({ length: count }, newKey)
  return { signers, set: { keys: signers.map(({ publicKey }) => encodeKeyX(publicKey)), threshold } }
}

/** The event of a leaf. */
export const eventOf = (world: LogWorld, index: number): LogEvent => parseEvent(world.log.leaves[index]!)
