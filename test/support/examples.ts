import {
  appendLeaf,
  canonicalize,
  cosigner,
  coveredText,
  emptyRange,
  encodeBase64,
  encodeBase64url,
  envelopeDigest,
  eventPayload,
  formatCheckpointBody,
  formatEvent,
  formatNote,
  formatRevocationLine,
  formatRevocations,
  formatStatus,
  formatTrustRootText,
  formatVerifierKey,
  itemDigest,
  leafHash,
  manifestDigest,
  noteSigner,
  parseText,
  rangeRoot,
  registryIdentity,
  revocationRoot,
  rootFingerprint,
  rootNoteDigest,
  signEnvelope,
  signerFromSeed,
  signKeyAddEvent,
  signNamespaceEvent,
  signNamespaceProof,
  sortRevocations,
  utf8Bytes,
  type LogEvent,
  type Slot,
} from 'countersign/core'

/** One worked example: what PROTOCOL.md prints, and the machine-readable vector behind it. */
export interface Example {
  readonly block: string
  readonly vector: Readonly<Record<string, unknown>>
}

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const seedHex = (byte: number): string => Buffer.from(seed(byte)).toString('hex')
const rootKey = signerFromSeed(seed(1))
const logKey = signerFromSeed(seed(2))
const timestamper = signerFromSeed(seed(3))
const ownKey = signerFromSeed(seed(4))
const signKey = signerFromSeed(seed(5))

/** Every worked example of PROTOCOL.md, made from fixed seeds: Ed25519 is deterministic, so the bytes are too. */
export function examples(): Readonly<Record<string, Example>> {
  const identity = registryIdentity(rootKey.publicKey)
  const tool = toolExample()
  const slot = slotExample()
  const envelope = envelopeExample(identity)
  const root = rootExample(identity)
  const events = eventExamples(identity, envelope, String(root.vector['note']))
  const log = logExample(identity, events)
  return {
    identity: {
      block: identity,
      vector: { rootPublicKey: Buffer.from(rootKey.publicKey).toString('hex'), identity },
    },
    tool,
    slot,
    header: {
      block: `{"alg":"Ed25519","kid":"${signKey.kid}","typ":"countersign-manifest+json"}`,
      vector: { seed: seedHex(5), x: encodeBase64url(signKey.publicKey), kid: signKey.kid },
    },
    envelope,
    events: {
      block: events.map(formatEvent).join('\n'),
      vector: { identity, leaves: events.map(leafVector(identity)) },
    },
    revocations: revocationExample(),
    proof: proofExample(identity),
    checkpoint: {
      block: log.note.trimEnd(),
      vector: { origin: `${identity}/log`, note: log.note, ...log.vkeys },
    },
    root,
    status: { block: log.status, vector: { status: log.status } },
  }
}

function toolExample(): Example {
  const received = {
    title: 'Add',
    name: 'add',
    id: 7,
    description: 'Adds two numbers.',
    inputSchema: {
      type: 'object',
      properties: { b: { type: 'number' }, a: { type: 'number' } },
      required: ['a', 'b'],
    },
  }
  const covered = coveredText('tool', received)
  const digest = itemDigest('tool', received)
  return { block: `${covered}\n${digest}`, vector: { received, covered, digest } }
}

function slotExample(): Example {
  const slot: Slot = { pointer: '/description', parts: ['Runs on ', { fact: 'hostname' }, ' only.'] }
  const definition = { name: 'run', description: 'Runs on {hostname} only.', inputSchema: { type: 'object' } }
  const covered = coveredText('tool', definition, [slot])
  const digest = itemDigest('tool', definition, [slot])
  const live = { ...definition, description: 'Runs on build-7 only.' }
  return {
    block: `${covered}\n${digest}`,
    vector: { definition, slot, covered, digest, live, facts: { hostname: 'build-7' } },
  }
}

function envelopeExample(identity: string): Example {
  const manifest = {
    format: 'countersign/manifest/v1',
    registry: identity,
    server: 'com.example/calc',
    version: '1.0.0',
    role: 'publisher',
    tools: [{ definition: { name: 'add', inputSchema: { type: 'object' } }, permissions: [] }],
  }
  const payload = utf8Bytes(canonicalize(manifest))
  const jws = signEnvelope('countersign-manifest+json', payload, signKey)
  const digests = { manifestDigest: manifestDigest(payload), envelopeDigest: envelopeDigest(jws) }
  return {
    block: `${parseText(payload)}\n${jws}\n${canonicalize(digests)}`,
    vector: { seed: seedHex(5), payload: parseText(payload), jws, ...digests },
  }
}

function eventExamples(identity: string, envelope: Example, rootNote: string): LogEvent[] {
  const manifest = envelope.vector['manifestDigest'] as `sha256:${string}`
  const about = { server: 'com.example/calc', version: '1.0.0', manifest } as const
  const namespace = signNamespaceEvent(
    { namespace: 'com.example', proof: 'admin', account: 'acct-1' },
    identity,
    ownKey,
  )
  const added = signKeyAddEvent(
    { namespace: 'com.example', role: 'sign', after: 1 },
    identity,
    signKey,
    ownKey,
  )
  const policy = rootFingerprint('{"approvals":1,"format":"countersign/admission-policy/v1"}')
  return [
    { v: 1, t: 'root', version: 1, digest: rootNoteDigest(rootNote) },
    namespace,
    added,
    {
      v: 1,
      t: 'publish',
      ...about,
      role: 'publisher',
      kid: signKey.kid,
      envelope: envelope.vector['envelopeDigest'] as `sha256:${string}`,
    },
    { v: 1, t: 'approve', ...about, policy, deciders: ['acct-2'], after: 3 },
    { v: 1, t: 'snapshot', asOf: 5, revocations: encodeBase64(revocationRoot([])), count: 0, rootVersion: 1 },
  ]
}

const leafVector =
  (identity: string) =>
  (event: LogEvent, index: number): object => ({
    index,
    leaf: formatEvent(event),
    leafHash: Buffer.from(leafHash(utf8Bytes(formatEvent(event)))).toString('hex'),
    ...('sig' in event && { signedPayload: parseText(eventPayload(event, identity)) }),
  })

function proofExample(audience: string): Example {
  const challenge = encodeBase64url(seed(6))
  const claim = { account: 'acct-1', audience, challenge, namespace: 'com.example' }
  const payload = canonicalize(claim)
  const signature = signNamespaceProof(claim, ownKey)
  const records = [
    `v=MCPv1; k=ed25519; p=${encodeBase64(ownKey.publicKey)}`,
    `v=countersign1; registry=${audience}; account=${claim.account}; kid=${ownKey.kid}`,
  ]
  return {
    block: [payload, signature, ...records].join('\n'),
    vector: { seed: seedHex(4), x: encodeBase64url(ownKey.publicKey), payload, signature, records },
  }
}

function revocationExample(): Example {
  const lines = sortRevocations([
    formatRevocationLine({ kind: 'server', name: 'com.example/calc' }),
    formatRevocationLine({ kind: 'key', namespace: 'com.example', kid: signKey.kid, invalidFrom: 12 }),
  ])
  const root = encodeBase64(revocationRoot(lines))
  const block = canonicalize({ count: lines.length, lines, root })
  return { block, vector: { lines, count: lines.length, root, list: parseText(formatRevocations(lines)) } }
}

function logExample(identity: string, events: readonly LogEvent[]) {
  let range = emptyRange()
  for (const event of events) range = appendLeaf(range, leafHash(utf8Bytes(formatEvent(event))))
  const body = formatCheckpointBody({
    origin: `${identity}/log`,
    size: events.length,
    root: rangeRoot(range),
  })
  const log = noteSigner(`${identity}/log`, logKey)
  const stamp = cosigner(`${identity}/timestamper`, timestamper)
  const note = formatNote(body, [log.sign(body), stamp.cosign(body, 1_790_000_000)])
  const last = events[events.length - 1]
  if (last === undefined) throw new Error('no events')
  // The last leaf's inclusion proof: the compact range's complete subtrees to its left, nearest first.
  const left = events.slice(0, -1)
  const proof = [hashesOf(left.slice(4)), hashesOf(left.slice(0, 4))]
  const status = parseText(
    formatStatus({
      format: 'countersign/status/v1',
      registry: identity,
      checkpoint: note,
      snapshot: { event: formatEvent(last), proof },
    }),
  )
  const vkeys = {
    log: formatVerifierKey(`${identity}/log`, 1, logKey.publicKey),
    timestamper: formatVerifierKey(`${identity}/timestamper`, 4, timestamper.publicKey),
  }
  return { note, status, vkeys }
}

function hashesOf(events: readonly LogEvent[]): Uint8Array {
  let range = emptyRange()
  for (const event of events) range = appendLeaf(range, leafHash(utf8Bytes(formatEvent(event))))
  return rangeRoot(range)
}

function rootExample(identity: string): Example {
  const text = formatTrustRootText(identity, 1, {
    expires: '2027-11-22T00:00:00Z',
    freshness: { refreshSeconds: 300, maxSeconds: 86_400, offlineMaxSeconds: 604_800 },
    logs: [
      {
        origin: `${identity}/log`,
        vkey: formatVerifierKey(`${identity}/log`, 1, logKey.publicKey),
        status: 'active',
      },
    ],
    timestamper: formatVerifierKey(`${identity}/timestamper`, 4, timestamper.publicKey),
    policy: 'quorum none\n',
    rootKeys: [formatVerifierKey(`${identity}/root`, 1, rootKey.publicKey)],
    threshold: 1,
  })
  const note = formatNote(text, [noteSigner(`${identity}/root`, rootKey).sign(text)])
  return { block: note.trimEnd(), vector: { note, fingerprint: rootFingerprint(text), seed: seedHex(1) } }
}
