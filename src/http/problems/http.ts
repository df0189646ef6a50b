import { problem, type ProblemEntry } from './entry.js'

/** What only the door can refuse. */
export const HTTP_PROBLEMS = {
  'request-invalid': problem(
    400,
    'The request has members that are missing, unknown or wrong, or cannot be read at all.',
    'Look at `fields` and `explanation.rules`: each names a place and the rule it breaks.',
  ),
  'request-aborted': problem(
    400,
    'The body ended before its announced length.',
    'Send it again; POST with the same Idempotency-Key is safe.',
  ),
  'idempotency-key-invalid': problem(
    400,
    'The Idempotency-Key is not 16 to 255 visible ASCII characters.',
    'Make a random one for each thing to be done, such as a UUID.',
  ),
  'not-found': problem(404, 'There is nothing at this address.', 'Compare the path with this document.'),
  'idempotency-running': problem(
    409,
    'A request with this Idempotency-Key is being worked on.',
    'Come again after Retry-After with the same key and the same body.',
  ),
  'idempotency-spent': problem(
    409,
    'This Idempotency-Key was answered with a secret that is shown once.',
    'Ask with a new key; disable what the first answer made when it was lost.',
  ),
  'body-too-large': problem(
    413,
    'The body has more bytes than this route reads.',
    'Envelopes have at most 6 MiB, every other body 64 KiB.',
  ),
  'media-type-unsupported': problem(
    415,
    'The Content-Type is not the one of this route, or the body is compressed.',
    'Send the media type that the route names, without a Content-Encoding.',
  ),
  'idempotency-mismatch': problem(
    422,
    'This Idempotency-Key was used for another request.',
    'Use one key for one request; a retry is the same method, path, type and body.',
  ),
  'rate-limited': problem(429, 'Too many requests.', 'Wait for Retry-After seconds.'),
  internal: problem(
    500,
    'Something went wrong on our side.',
    'Give the traceId to the operator: the log has the reason under it.',
  ),
  'not-implemented': problem(
    501,
    'The MCP Registry API is for reading here.',
    'Publish through /v1, where what is published is signed.',
  ),
  unavailable: problem(
    503,
    'The log or the database takes nothing right now, or nothing is published yet.',
    'Come again after Retry-After; nothing was lost, and POST with the same Idempotency-Key is safe.',
  ),
} as const satisfies Record<string, ProblemEntry>

export type HttpCode = keyof typeof HTTP_PROBLEMS
