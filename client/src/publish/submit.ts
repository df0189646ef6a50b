import {
  formatManifest,
  isJsonObject,
  manifestDigest,
  refuse,
  signEnvelope,
  type Digest,
  type JsonObject,
  type JsonValue,
  type Manifest,
  type Signer,
} from '../core/index.js'

/** Signs a manifest: the compact JWS that a registry takes (PROTOCOL 5). The registry is named inside the manifest. */
export function signManifest(manifest: Manifest, signer: Signer): { envelope: string; digest: Digest } {
  const payload = formatManifest(manifest)
  return {
    envelope: signEnvelope('countersign-manifest+json', payload, signer),
    digest: manifestDigest(payload),
  }
}

/** How this module speaks to a registry: an authorised request that resolves only with a 2xx JSON answer. */
export type Call = (
  method: 'GET' | 'POST',
  path: string,
  body?: { type: string; text: string },
) => Promise<JsonValue>

export interface Submission {
  readonly manifest: string
  readonly server: string
  readonly version: string
  readonly status: string
  readonly index?: number
  readonly findings: readonly JsonObject[]
}

/**
 * Pushes an envelope. The same bytes again give the same answer.
 * @throws CountersignError `registry-refused` with the registry's own code in `detail.code`, `registry-unreachable`,
 * `not-logged-in`
 */
export async function submitManifest(call: Call, envelope: string): Promise<Submission> {
  return readSubmission(await call('POST', '/v1/manifests', { type: 'application/jose', text: envelope }))
}

function readSubmission(answer: JsonValue): Submission {
  if (!isJsonObject(answer)) refuse('registry-error', 'the answer to a publication is no object')
  const text = (name: string): string => {
    const value = answer[name]
    return typeof value === 'string'
      ? value
      : refuse('registry-error', `the answer to a publication lacks ${name}`)
  }
  const { index, findings } = answer
  return {
    manifest: text('manifest'),
    server: text('server'),
    version: text('version'),
    status: text('status'),
    ...(typeof index === 'number' && { index }),
    findings: Array.isArray(findings) ? findings.filter(isJsonObject) : [],
  }
}

export interface WaitOptions {
  /** ms between two questions; 2000 by default. */
  readonly everyMs?: number
  /** ms until giving up; a day by default. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * Asks until the version is no longer pending.
 * @returns the status it came to: `approved`, `rejected`, `withdrawn`, `revoked` …
 * @throws CountersignError `pending` when nobody decided in time
 */
export async function waitForDecision(
  call: Call,
  server: string,
  version: string,
  options: WaitOptions = {},
): Promise<string> {
  const end = Date.now() + (options.timeoutMs ?? 86_400_000)
  for (;;) {
    options.signal?.throwIfAborted()
    const status = await fetchDecision(call, server, version)
    if (status !== 'pending') return status
    if (Date.now() >= end)
      refuse('pending', `${server} ${version} is still waiting for a decision`, { server, version })
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 2_000))
  }
}

async function fetchDecision(call: Call, server: string, version: string): Promise<string> {
  const answer = await call('GET', `/v1/servers/${server}/versions/${encodeURIComponent(version)}`)
  const status = isJsonObject(answer) ? answer['status'] : undefined
  return typeof status === 'string' ? status : refuse('registry-error', 'the registry names no status')
}
