import type { ErrorCode } from 'countersign/core'
import { problem, type ProblemEntry } from './entry.js'

const SPELLING = 'Each value has one spelling; PROTOCOL says which.'
const JSON_RULE = 'Send strict JSON: no duplicate members, at most 16 levels, no number that loses digits.'

/** Codes of the core that a request can cause. Every other one would be our own data, and that is a 500. */
export const FORMAT_PROBLEMS = {
  'input-too-large': problem(413, 'A part of the request is larger than its format allows.', 'Shorten it.'),
  'utf8-invalid': problem(400, 'The body is not UTF-8.', 'Send UTF-8.'),
  'decimal-invalid': problem(400, 'A number is not written in plain decimal digits.', SPELLING),
  'base64-invalid': problem(400, 'A value is not base64 in its one spelling.', SPELLING),
  'digest-invalid': problem(400, 'A digest is not `sha256:` and 64 lower-case hex digits.', SPELLING),
  'json-malformed': problem(400, 'The body is not JSON.', JSON_RULE),
  'json-duplicate-member': problem(400, 'A member of the JSON stands twice.', JSON_RULE),
  'json-too-deep': problem(400, 'The JSON has too many levels.', JSON_RULE),
  'json-lone-surrogate': problem(400, 'A string of the JSON has half a character.', JSON_RULE),
  'json-number-inexact': problem(400, 'A number of the JSON would lose digits.', JSON_RULE),
  'json-not-canonical': problem(400, 'What was signed is not canonical JSON (RFC 8785).', SPELLING),
  'name-invalid': problem(400, 'A namespace or server name breaks the rules of names.', SPELLING),
  'version-invalid': problem(400, 'A version breaks the rules of versions.', SPELLING),
  'envelope-malformed': problem(400, 'The body is no compact JWS of the kind that is published.', SPELLING),
  'tile-path-invalid': problem(404, 'This is no path of a tile (C2SP tlog-tiles).', 'Compare the path.'),
  'namespace-mismatch': problem(
    403,
    'The key that signed is of another namespace than the server.',
    'Sign with a key of its namespace.',
  ),
  'key-invalid': problem(422, 'This is no Ed25519 public key, or a weak one.', 'Make a key with `keygen`.'),
  'signature-malformed': problem(422, 'The signature is not one in its one spelling.', SPELLING),
  'signature-invalid': problem(
    422,
    'The signature does not hold over these bytes.',
    'Sign exactly what is sent.',
  ),
  'manifest-invalid': problem(422, 'The manifest breaks its format.', '`detail` names the place.'),
  'event-invalid': problem(
    422,
    'The event breaks its format, or is not one for this address.',
    '`detail` says why.',
  ),
  'slot-invalid': problem(422, 'A slot of the manifest breaks its rules.', '`detail` names it.'),
  'malformed-tool': problem(
    422,
    'An item of the manifest is none that MCP knows.',
    '`detail` names the place.',
  ),
  'registry-mismatch': problem(
    422,
    'What was signed is for another registry.',
    "Sign it with this registry's identity.",
  ),
  expired: problem(422, 'The manifest has expired.', 'Publish a version that has not.'),
} as const satisfies Partial<Record<ErrorCode, ProblemEntry>>

/** What the gates say of a whole manifest. */
export const GATE_PROBLEMS = {
  'manifest-refused': problem(
    422,
    'The manifest breaks rules that nobody can approve; it was not logged.',
    '`explanation.findings` names rules and places; `countersign lint` shows them at home.',
  ),
} as const satisfies Record<string, ProblemEntry>
