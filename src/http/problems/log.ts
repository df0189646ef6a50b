import type { RefusalCode } from '../../log/errors.js'
import { problem, type ProblemEntry } from './entry.js'

const READ_AGAIN = 'Read what it is about again, and decide anew.'

/** What the registry does not do, decided in the order of the log. */
export const REFUSALS: Readonly<Record<RefusalCode, ProblemEntry>> = {
  'key-unknown': problem(
    403,
    'No namespace of the account has the key that signed.',
    'Sign with an enrolled key, or log in as who acts for its namespace.',
  ),
  'key-inactive': problem(403, 'The key is revoked, or has not this role.', 'Sign with a key that counts.'),
  'namespace-not-granted': problem(
    403,
    'The account does not act for this namespace.',
    'Claim it, or ask an admin for a grant.',
  ),
  'own-work': problem(
    403,
    'A person never decides about what they or their namespace published.',
    'Somebody else decides.',
  ),
  'decider-not-allowed': problem(
    403,
    'This account may not decide this, or its person has voted already.',
    'A reviewer or the owner decides; one vote a person.',
  ),
  'namespace-suspended': problem(
    403,
    'What proved the namespace is gone: it takes no publication and no new key.',
    'Put the record back, and POST /v1/namespaces/{ns}/check.',
  ),
  'key-waiting': problem(
    403,
    'The authorities gave this key, and it waits for objections.',
    '`explanation.usableAt` says until when.',
  ),
  'not-trusted-here': problem(
    403,
    'The trusted publisher of the token may not publish this server.',
    'An admin can add one that may.',
  ),
  'namespace-unknown': problem(404, 'There is no such namespace.', 'Claim it first.'),
  'manifest-unknown': problem(
    404,
    'There is no such manifest, or it is not for you to see.',
    'Compare the digest.',
  ),
  'target-unknown': problem(
    404,
    'There is no such server or version, or it is not for you to see.',
    'Compare the name.',
  ),
  'webhook-unknown': problem(404, 'There is no such webhook.', 'Look it up in the list of webhooks.'),
  'version-taken': problem(
    409,
    'This version stands with other content; one version is one manifest, for ever.',
    'Publish another version.',
  ),
  'server-taken': problem(409, 'A server whose name reads alike stands already.', 'Choose another name.'),
  'key-taken': problem(409, 'The key is enrolled already.', 'Make another key.'),
  'namespace-taken': problem(
    409,
    'Somebody has this namespace, or proved it in another way.',
    'Its owner or an admin can help.',
  ),
  'after-outdated': problem(409, 'Something newer was decided since `after`.', READ_AGAIN),
  'manifest-status': problem(409, 'Its status does not allow this.', READ_AGAIN),
  'finding-held': problem(
    409,
    'Findings hold the manifest.',
    'Give a reason as `override`, where the policy lets people do that.',
  ),
  'challenge-invalid': problem(
    409,
    'The challenge is not one for this claim, was used or expired.',
    'Begin the claim again.',
  ),
  'policy-outdated': problem(409, 'Another admission policy was put in force meanwhile.', READ_AGAIN),
  'check-failed': problem(
    409,
    'A check that the admission policy requires does not hold.',
    '`explanation` names it.',
  ),
  'base-outdated': problem(
    409,
    'Another version was approved meanwhile: the change is something else now.',
    READ_AGAIN,
  ),
  'signature-unwanted': problem(
    409,
    'There is nothing to sign: too few persons agree yet, or there are no approvers.',
    'Look at the votes of the review.',
  ),
  'root-conflict': problem(
    409,
    'Another version of the trust root was published meanwhile.',
    'Base the next one on /v1/root/latest.',
  ),
  'quorum-not-met': problem(
    409,
    'The witnesses that the new trust root names do not cosign the current tree.',
    'Bring them up, or publish with force=true.',
  ),
  'log-forked': problem(
    409,
    'The reported checkpoint is by this log and not of this history: nothing is signed any more.',
    'The operator finds out which database is the older one.',
  ),
  'signature-invalid': problem(
    422,
    'The signature does not hold over these bytes.',
    'Sign exactly what is sent.',
  ),
  'event-too-large': problem(422, 'The event is larger than an entry of the log.', 'Shorten its texts.'),
  'out-of-range': problem(
    422,
    'A number or a size is beyond what is served.',
    '`explanation` has the limit.',
  ),
  'proof-kind': problem(
    422,
    'A namespace of this kind cannot be claimed or looked at in this way.',
    'Use another kind of proof.',
  ),
  'proof-failed': problem(
    422,
    'What should prove the namespace is not there, or says something else.',
    'Compare it with `records` of the claim; DNS may take a while.',
  ),
  'policy-invalid': problem(
    422,
    'The members of the policy contradict each other.',
    '`explanation` names one.',
  ),
  'webhook-invalid': problem(
    422,
    'The URL or the events of the webhook are not possible, or there are too many.',
    '`explanation` names the member.',
  ),
  'root-invalid': problem(
    422,
    'This is no next version of the trust root, or too few have signed it.',
    '`detail` says which rule it breaks.',
  ),
  'note-invalid': problem(
    422,
    'What was reported is no checkpoint that this log signed.',
    'Report the note as it was received.',
  ),
  'proof-unreachable': problem(
    503,
    'What should prove the namespace cannot be looked at now.',
    'Come again later.',
  ),
}
