import {
  CountersignError,
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
  /** False while the witnesses are late: it is logged for good, and published when they have cosigned. */
  readonly published?: false
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
  const { index, published, findings } = answer
  return {
    manifest: text('manifest'),
    server: text('server'),
    version: text('version'),
    status: text('status'),
    ...(typeof index === 'number' && { index }),
    ...(published === false && { published }),
    findings: Array.isArray(findings) ? findings.filter(isJsonObject) : [],
  }
}

export interface WaitOptions {
  /** ms between two questions; 2000 by default. */
  readonly everyMs?: number
  /** ms until giving up; a day by default. */
  readonly timeoutMs?: number
  /** ms in which a registry may not answer at all, as while it is started again; five minutes by default. */
  readonly silenceMs?: number
  readonly signal?: AbortSignal
  /** What was submitted. Who is shown only what was approved, as a workflow is, learns the rest by handing it in again. */
  readonly envelope?: string
}

/** Handing in again makes the registry read all of it. */
const QUESTIONS_A_SUBMISSION = 5

/**
 * Asks until the version is no longer pending. An approval counts when it is published: until then it is pending.
 * @returns the status it came to: `approved`, `rejected`, `withdrawn`, `revoked` …
 * @throws CountersignError `pending` when nobody decided in time; `registry-unreachable` after a long silence
 */
export async function waitForDecision(
  call: Call,
  server: string,
  version: string,
  options: WaitOptions = {},
): Promise<string> {
  const end = Date.now() + (options.timeoutMs ?? 86_400_000)
  let heard = Date.now()
  for (let asked = 1; ; asked++) {
    options.signal?.throwIfAborted()
    const status = await fetchDecision(call, server, version, asked, options.envelope).catch(
      (error: unknown) => {
        const isPatient = Date.now() - heard < (options.silenceMs ?? 300_000)
        if (isPatient && options.signal?.aborted !== true && isSilence(error)) return undefined
        throw error
      },
    )
    if (status !== undefined && status !== 'pending') return status
    if (status !== undefined) heard = Date.now()
    if (Date.now() >= end)
      refuse('pending', `${server} ${version} is still waiting for a decision`, { server, version })
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 2_000))
  }
}

/** It is there for a moment and gone, or busy: what was submitted stands all the same. */
function isSilence(error: unknown): boolean {
  if (!(error instanceof CountersignError)) return false
  return error.code === 'registry-unreachable' || error.detail['status'] === 429
}

async function fetchDecision(
  call: Call,
  server: string,
  version: string,
  asked: number,
  envelope: string | undefined,
): Promise<string> {
  try {
    const answer = await call('GET', `/v1/servers/${server}/versions/${encodeURIComponent(version)}`)
    const status = isJsonObject(answer) ? answer['status'] : undefined
    return typeof status === 'string' ? status : refuse('registry-error', 'the registry names no status')
  } catch (error) {
    const isHidden = error instanceof CountersignError && error.detail['code'] === 'target-unknown'
    if (!isHidden || envelope === undefined) throw error
    if (asked % QUESTIONS_A_SUBMISSION !== 0) return 'pending'
    return (await submitManifest(call, envelope)).status
  }
}
