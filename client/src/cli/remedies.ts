import type { CountersignError, ErrorCode, ErrorDetail } from '../core/index.js'

/**
 * What a person can do about a failure: by our own code, and for what a registry or an issuer refused by theirs.
 * Undefined where the message says it already.
 */
export function remedyOf({ code, detail }: CountersignError): string | undefined {
  const theirs = detail['code']
  const known = typeof theirs === 'string' && Object.hasOwn(REFUSALS, theirs) ? REFUSALS[theirs] : undefined
  const words = known ?? OWN[code]
  return typeof words === 'function' ? words(detail) : words
}

type Words = string | ((detail: ErrorDetail) => string)

const OWN: Partial<Readonly<Record<ErrorCode, Words>>> = {
  usage: 'Run the command with --help to see how it is used.',
  'not-logged-in': 'Run `countersign login` first.',
  'capture-failed': 'Start the server by hand to see whether it runs, and look at what it prints.',
  'memory-locked': 'Another process holds this home folder; wait for it or end it.',
}

const AGAIN = ({ retryAfter }: ErrorDetail): string =>
  typeof retryAfter === 'number'
    ? `Too often: come again in ${retryAfter} seconds.`
    : 'Too often: come again later.'

const LOOK_AGAIN = 'Somebody decided meanwhile: look with `countersign admin show`, then decide again.'
const NEW_CODE = 'Codes work once and for a while: an admin makes another one.'

/** Stable codes of registries (problem+json) and of authorization servers (RFC 6749, 8628). */
const REFUSALS: Readonly<Record<string, Words>> = {
  // who is calling
  'token-missing': 'Run `countersign login` first.',
  'token-invalid': 'Run `countersign login` again.',
  'account-disabled': 'An admin enables it with `countersign admin accounts enable`.',
  'role-missing':
    'An admin gives roles with `countersign admin accounts roles ACCOUNT ROLE…`; `countersign whoami` shows yours.',
  'scope-missing':
    '`countersign whoami` shows your roles: an admin gives more. With the role, run `countersign login` again.',
  'token-limited':
    'A workflow’s token publishes and does nothing else: log in as a person or with a client for this.',
  'not-trusted-here':
    'No trusted publisher names this server: `countersign admin trusted-publishers list` shows what is named.',
  'dpop-required':
    'Run `countersign login` again: this registry takes only tokens that are bound to a key for this.',
  'dpop-invalid': 'Look at this machine’s clock, then run `countersign login` again.',
  invalid_dpop_proof: 'Look at this machine’s clock, then run `countersign login` again.',
  'credentials-invalid': 'Look at the login and the password; an admin can start a recovery.',
  'password-change-required':
    'Open /account/password at the registry and choose a password of your own first.',
  'code-invalid': NEW_CODE,
  locked: AGAIN,
  'rate-limited': AGAIN,
  'last-admin': 'Give the role admin to another account first.',
  'account-unknown': 'See `countersign admin accounts list`.',
  'client-unknown': 'See `countersign admin client list`.',
  'trusted-publisher-unknown': 'See `countersign admin trusted-publishers list`.',
  'issuer-unreachable': 'The registry cannot reach that issuer; try again later.',
  // namespaces and keys
  'namespace-unknown': 'Claim it with `countersign namespace claim`, or ask an admin to grant it.',
  'namespace-not-granted': 'Claim it with `countersign namespace claim`, or ask an admin to grant it.',
  'namespace-taken': 'Another account owns it.',
  'namespace-suspended': 'Its proof is gone: put the record back, then run `countersign namespace check`.',
  'proof-kind': 'See `countersign namespace claim --help` for which proof is for which namespace.',
  'proof-failed': 'Put the record where `countersign namespace claim` said, wait for DNS, and try again.',
  'proof-unreachable': 'The registry could not look; try again later.',
  'challenge-invalid': 'Run `countersign namespace claim` again: a challenge works once and not for long.',
  'key-unknown': 'See `countersign key list`.',
  'key-inactive': 'Its days are over: `countersign key list` shows which key counts.',
  'key-taken': 'It was enrolled before: make another one with `countersign keygen`.',
  'key-waiting':
    'Authorities gave this key: it counts after the waiting time, which anybody can see in the log.',
  // review
  'after-outdated': LOOK_AGAIN,
  'base-outdated': LOOK_AGAIN,
  'manifest-status': '`countersign status` shows what was decided about it.',
  'own-work': 'Somebody else decides: four eyes.',
  'decider-not-allowed': 'Somebody else decides: see the admission policy, `countersign admin policy show`.',
  'finding-held': 'Look at the findings; when they are harmless, approve with --override REASON.',
  'check-failed':
    'The admission policy asks for a check that does not hold: `countersign admin policy show`.',
  'policy-outdated': 'Somebody changed it meanwhile: read it again with `countersign admin policy show`.',
  'signature-unwanted': 'The trust root names no approvers: approve without --key.',
  'version-taken': 'A version is published once and for all: raise the version.',
  // authorization servers
  access_denied: 'The person at the browser said no.',
  expired_token: 'Run `countersign login` again and type the code sooner.',
  invalid_client:
    'The client is unknown, disabled or proved itself wrongly: see `countersign admin client list`.',
  invalid_scope: 'The account or the client has no role here: an admin gives it one.',
  invalid_grant: 'Run `countersign login` again.',
  'workflow-refused':
    'Its claims must be those of a trusted publisher: an admin looks with `countersign admin trusted-publishers list`.',
  invalid_target: 'That issuer does not know this registry as a resource.',
  'id-token-refused': 'Give the job the permission `id-token: write`.',
}
