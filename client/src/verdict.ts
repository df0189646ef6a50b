import { CountersignError, type ErrorDetail, type VerdictCode } from './core/index.js'

/**
 * Every verdict code, in the order of PROTOCOL 15. Apart from the sentences: who only verifies, in a browser, need not load
 * those.
 */
export const VERDICT_CODES = [
  'verified',
  'unknown-server',
  'unlisted-tool',
  'definition-changed',
  'duplicate-name',
  'malformed-tool',
  'limit-exceeded',
  'not-listed',
  'frozen',
  'slot-mismatch',
  'instructions-changed',
  'prompt-changed',
  'signature-invalid',
  'key-unknown',
  'key-revoked',
  'namespace-mismatch',
  'registry-mismatch',
  'version-mismatch',
  'expired',
  'proof-invalid',
  'checkpoint-invalid',
  'quorum-not-met',
  'equivocation',
  'rollback',
  'root-expired',
  'root-outdated',
  'clock-skew',
  'stale',
  'registry-unreachable',
  'pending',
  'rejected',
  'withdrawn',
  'revoked',
  'consent-required',
  'name-confusable',
  'name-shadowed',
  'artifact-mismatch',
  'launch-changed',
  'scope-missing',
  'schema-violation',
  'policy-denied',
] as const satisfies readonly VerdictCode[]

const CODES: ReadonlySet<string> = /* @__PURE__ */ new Set<VerdictCode>(VERDICT_CODES)

/** Whether a code is a verdict of PROTOCOL 15. */
export function isVerdict(code: string): code is VerdictCode {
  return CODES.has(code)
}

/** A verdict in words: what was found, and what a person can do about it. */
export interface Explanation {
  readonly sentence: string
  readonly remedy: string
}

/** PROTOCOL 15, the closed list: a sentence and a remedy for each code. `{name}` is filled from the detail. */
const VERDICTS: Readonly<Record<VerdictCode, readonly [sentence: string, remedy: string]>> = {
  verified: ['{name} is what was signed, logged and approved.', 'Nothing to do.'],

  'unknown-server': [
    'No approved manifest speaks for {name}.',
    'Ask its publisher to sign it, vouch for it in your organisation, or let the host policy pin it.',
  ],
  'unlisted-tool': [
    '{name} is not in the signed manifest.',
    'Use the version that was approved, or have the version with this item approved.',
  ],
  'definition-changed': [
    '{name} is not what was signed under that name.',
    'Compare it with the signed definition; have the change approved or report the server.',
  ],
  'duplicate-name': [
    'The server lists {name} more than once; all of them are hidden.',
    'Report it to the server.',
  ],
  'malformed-tool': ['{name} is not a well-formed definition.', 'Report it to the server.'],
  'limit-exceeded': [
    'The server lists more than a host takes in.',
    'Narrow its toolsets or report the server.',
  ],
  'not-listed': ['{name} was never listed by this server.', 'List the tools again before calling.'],
  frozen: ['The server said its tools changed; calls wait for the new list.', 'List the tools again.'],
  'slot-mismatch': [
    '{name} states a fact about this machine that the guard does not find true.',
    'Start the guard where the server runs; if it does, report the server.',
  ],
  'instructions-changed': [
    'The server’s instructions are not the signed ones; they were removed.',
    'Have the new text approved or report the server.',
  ],
  'prompt-changed': [
    '{name} is not the prompt or template that was signed.',
    'Have the change approved or report the server.',
  ],

  'signature-invalid': ['A signature does not hold.', 'Do not use it; fetch it again and report it.'],
  'key-unknown': [
    'The manifest is signed by a key the log does not give to its namespace.',
    'Report the registry.',
  ],
  'key-revoked': [
    'The manifest is signed by a key that no longer counts.',
    'Wait for a version under a good key.',
  ],
  'namespace-mismatch': [
    'The manifest speaks for another server than the one asked for.',
    'Report the registry.',
  ],
  'registry-mismatch': ['This was signed for another registry.', 'Check which registry is configured.'],
  'version-mismatch': [
    '{name} belongs to another approved version than the rest.',
    'Install one version of the server, whole.',
  ],
  expired: ['The manifest expired.', 'Ask its publisher for a new version.'],

  'proof-invalid': [
    'The evidence is not what the log proves.',
    'Fetch it again; if it stays, report the registry.',
  ],
  'checkpoint-invalid': [
    'The log’s checkpoint does not hold.',
    'Fetch it again; if it stays, report the registry.',
  ],
  'quorum-not-met': [
    'Too few witnesses stand behind the checkpoint.',
    'Wait; if it stays, ask the registry.',
  ],
  equivocation: [
    'The registry showed two histories that exclude each other. Both are kept as evidence.',
    'Stop using this registry, publish the evidence, and clear it by hand only when it is explained.',
  ],
  rollback: [
    'The registry shows an older state than the one this host saw.',
    'Ask its operator: after a recovery, `countersign trust update` goes on; otherwise report it.',
  ],
  'root-expired': ['The trust root expired.', 'Run `countersign trust update`, or pin the registry again.'],
  'root-outdated': [
    'The registry has a newer trust root than this host could verify.',
    'Run `countersign trust update`.',
  ],
  'clock-skew': ['The registry’s time is ahead of this machine’s clock.', 'Set the clock.'],

  stale: [
    'What is known about revocations is too old to rely on.',
    'Reach the registry, or fetch a new bundle.',
  ],
  'registry-unreachable': ['The registry does not answer.', 'Check the network and the registry’s address.'],

  pending: ['{name} waits for its review.', 'Ask a reviewer.'],
  rejected: ['{name} was rejected in review.', 'Use another version.'],
  withdrawn: ['{name} was withdrawn by its publisher.', 'Use another version.'],
  revoked: ['{name} was revoked.', 'Use another version, and ask why it was revoked.'],

  'consent-required': [
    '{name} changed in a way a person must agree to.',
    'Look at the change with countersign consent, and agree or refuse.',
  ],
  'name-confusable': ['{name} looks like the name of another server.', 'Check which one is meant.'],
  'name-shadowed': [
    '{name} takes the name of another server’s tool.',
    'Rename it or remove one of the servers.',
  ],
  'artifact-mismatch': [
    'What runs is not the package or address the manifest speaks of.',
    'Install the signed one.',
  ],
  'launch-changed': [
    'The command that starts the server is not the signed one.',
    'Restore it or pin the server again.',
  ],

  'scope-missing': ['{name} needs a permission the caller does not have.', 'Ask for the scope it names.'],
  'schema-violation': [
    'A value does not fit the signed schema of {name}.',
    'Correct the arguments or report the server.',
  ],
  'policy-denied': ['The host’s policy does not allow {name}.', 'Ask whoever keeps the policy.'],
}

const PINNED = [
  '{name} is not what this server showed when it was first used here.',
  'Nobody signed this server: look at the change with countersign consent, and agree or refuse.',
] as const

/**
 * A sentence for people and a remedy for every verdict (PROTOCOL 15). The text holds values of `detail` as they are:
 * who shows it escapes it.
 *
 * @example
 * explainVerdict('unlisted-tool', { name: 'send_mail' }).sentence // 'send_mail is not in the signed manifest.'
 */
export function explainVerdict(code: VerdictCode, detail: ErrorDetail = {}): Explanation {
  // Nobody signed what is pinned, and what waits for a person is no reason to report anybody.
  const isPin = detail['pinned'] === true && typeof detail['question'] === 'string'
  const [sentence, remedy] = isPin ? PINNED : VERDICTS[code]
  const { name } = detail
  const subject = (at: number): string => (at === 0 ? 'It' : 'it')
  const words = (_: string, at: number): string =>
    typeof name === 'string' && name !== '' ? name : subject(at)
  return { sentence: sentence.replace('{name}', words), remedy }
}

/**
 * Runs one step of PROTOCOL 10. A format error becomes the verdict of that step with the format code in its detail
 * and the error as cause; a verdict passes with the step added. Anything else is a fault of ours and passes as it is.
 */
export function atStep<T>(step: number, verdict: VerdictCode, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw asVerdict(error, step, verdict)
  }
}

/** What {@link atStep} throws, for steps that wait. */
export function asVerdict(error: unknown, step: number, verdict: VerdictCode): unknown {
  if (!(error instanceof CountersignError)) return error
  if (isVerdict(error.code)) {
    if ('step' in error.detail) return error
    return new CountersignError(error.code, error.message, { step, ...error.detail }, { cause: error })
  }
  if (OPERATIONS.has(error.code)) return error
  return new CountersignError(
    verdict,
    error.message,
    { step, format: error.code, ...error.detail },
    { cause: error },
  )
}

/** These say that something around the protocol failed, not what the evidence is worth. */
const OPERATIONS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'usage',
  'io',
  'registry-error',
  'registry-refused',
  'not-logged-in',
  'capture-failed',
  'memory-locked',
  'memory-corrupt',
])
