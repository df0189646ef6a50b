import { SETTINGS, wrong, type Read, type Setting } from './names.js'
import { mapped, parseOneOf, parseUrl, present } from './values.js'

/** An authorization server that is not ours; accounts are its subjects. */
export interface ExternalIssuerConfig {
  /** Exactly as the `iss` of its tokens has it. */
  readonly url: string
  /** The `aud` of its access tokens; absent: the public URL. */
  readonly audience?: string
  /** The public client that the command line logs in with. */
  readonly clientId?: string
  /** The `sub` of the person who is an admin from the start. */
  readonly admin?: string
  /** A claim that lists roles; the issuer alone decides on roles then. */
  readonly rolesClaim?: string
  readonly algorithms: readonly IssuerAlgorithm[]
}

export type IssuerAlgorithm = (typeof ISSUER_ALGORITHMS)[number]

/** Asymmetric ones only: with a shared secret, whoever verifies could sign. */
const ISSUER_ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'] as const

/** An external issuer, when one is named: its other settings mean nothing alone. */
export function readExternalIssuer(text: Read): ExternalIssuerConfig | undefined {
  const url = mapped(text('ISSUER'), parseIssuer)
  if (url === undefined) {
    const stray = SETTINGS.find((name) => name.startsWith('ISSUER_') && text(name) !== undefined)
    if (stray !== undefined) throw wrong(stray, `says something about COUNTERSIGN_ISSUER, which is not set`)
    return undefined
  }
  return present({
    url,
    audience: mapped(text('ISSUER_AUDIENCE'), (value) => parseWord('ISSUER_AUDIENCE', value)),
    clientId: mapped(text('ISSUER_CLIENT_ID'), (value) => parseWord('ISSUER_CLIENT_ID', value)),
    admin: mapped(text('ISSUER_ADMIN'), (value) => parseWord('ISSUER_ADMIN', value)),
    rolesClaim: mapped(text('ISSUER_ROLES_CLAIM'), (value) => parseWord('ISSUER_ROLES_CLAIM', value)),
    algorithms: parseAlgorithms(text('ISSUER_ALGORITHMS')),
  })
}

/** Compared with `iss` letter by letter, so it is kept as it was written: a slash at its end counts. */
function parseIssuer(text: string): string {
  const url = parseUrl('ISSUER', text)
  if (url.search || url.hash || url.username || url.password) {
    throw wrong('ISSUER', 'has no query, fragment or user')
  }
  if (text !== url.href && `${text}/` !== url.href) {
    throw wrong('ISSUER', `is written as ${url.href}, with or without the slash at the end`)
  }
  return text
}

function parseAlgorithms(text: string | undefined): readonly IssuerAlgorithm[] {
  if (text === undefined) return ISSUER_ALGORITHMS
  const names = text.split(',').map((name) => parseOneOf('ISSUER_ALGORITHMS', ISSUER_ALGORITHMS, name.trim()))
  return [...new Set(names)]
}

function parseWord(name: Setting, text: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(text)) return text
  throw wrong(name, 'is one word of at most 255 printable ASCII characters')
}

/** Two verifiers of one issuer would be two sets of rules for one token. */
export function assertOtherIssuer(
  publicUrl: string | undefined,
  externalIssuer: ExternalIssuerConfig | undefined,
): void {
  if (publicUrl === undefined || externalIssuer?.url.replace(/\/$/, '') !== publicUrl) return
  throw wrong('ISSUER', 'is this registry itself; leave it out to log in here')
}
