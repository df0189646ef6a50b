import { CountersignError, isJsonObject, parseStrictJson, refuse } from '../../../core/index.js'
import { assertSecure } from '../../context.js'
import { readCapped, reach } from '../../fetching.js'
import { Secret } from '../secret.js'

const MAX_ANSWER_BYTES = 64 * 1024

/** Gets a token that says which workflow this is, made for one audience. */
export type IdTokenSource = (audience: string, signal: AbortSignal) => Promise<Secret>

/**
 * Who vouches for the workflow this runs in: GitHub Actions is asked for a token, any other service puts one into
 * COUNTERSIGN_ID_TOKEN. Undefined outside of a workflow.
 */
export function idTokenSource(env: NodeJS.ProcessEnv): IdTokenSource | undefined {
  const given = env['COUNTERSIGN_ID_TOKEN']
  if (given !== undefined && given !== '') return () => Promise.resolve(new Secret(given))
  const url = env['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? ''
  const bearer = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? ''
  if (url === '' || bearer === '') return undefined
  return (audience, signal) => requestIdToken({ url, bearer: new Secret(bearer) }, audience, signal)
}

/** Whether it is one that makes a token for any audience that is asked for, rather than one that was made before. */
export function isAskable(env: NodeJS.ProcessEnv): boolean {
  return (env['COUNTERSIGN_ID_TOKEN'] ?? '') === '' && idTokenSource(env) !== undefined
}

async function requestIdToken(
  { url: text, bearer }: { url: string; bearer: Secret },
  audience: string,
  signal: AbortSignal,
): Promise<Secret> {
  if (!URL.canParse(text)) refuse('usage', 'ACTIONS_ID_TOKEN_REQUEST_URL is no URL')
  const url = new URL(text)
  assertSecure(url)
  url.searchParams.set('audience', audience)
  const response = await reach(
    url,
    { method: 'GET', headers: { accept: 'application/json', authorization: `Bearer ${bearer.reveal()}` } },
    signal,
  )
  const bytes = await readCapped(response, MAX_ANSWER_BYTES)
  if (!response.ok) {
    const detail = { url: url.origin, status: response.status }
    refuse('registry-refused', 'the workflow service gives no id token', {
      code: 'id-token-refused',
      ...detail,
    })
  }
  return readValue(bytes, url.origin)
}

function readValue(bytes: Uint8Array, origin: string): Secret {
  try {
    const answer = parseStrictJson(bytes, { maxBytes: MAX_ANSWER_BYTES })
    const value = isJsonObject(answer) ? answer['value'] : undefined
    if (typeof value === 'string' && value !== '') return new Secret(value)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
  }
  return refuse('registry-error', 'the workflow service answered without an id token', { url: origin })
}
