/** Where the authorization server answers; the names are its own. */
export const ROUTES = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  jwks: '/oauth/jwks',
  revocation: '/oauth/revoke',
  device_authorization: '/oauth/device',
  code_verification: '/device',
} as const

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const

/** What stays ours when people log in elsewhere. */
const FOR_MACHINES: ReadonlySet<string> = new Set([ROUTES.token, ROUTES.jwks, ...METADATA])
const FOR_PEOPLE: ReadonlySet<string> = new Set([...FOR_MACHINES, ...Object.values(ROUTES)])
/** Where a browser comes back to after a login page. */
const RESUMES = /^(?:\/oauth\/authorize|\/device)\/[A-Za-z0-9_-]{1,64}$/

export type OwnsPath = (path: string) => boolean

/** The only paths that ever reach the authorization server: it would answer every other one itself. */
export function pathsOf(hasExternalIssuer: boolean): OwnsPath {
  return hasExternalIssuer
    ? (path) => FOR_MACHINES.has(path)
    : (path) => FOR_PEOPLE.has(path) || RESUMES.test(path)
}

export function isMetadata(path: string): boolean {
  return METADATA.some((known) => known === path)
}

/** Where people look at what is answered, rather than programs. */
export function isForBrowsers(path: string): boolean {
  return path === ROUTES.authorization || path === ROUTES.code_verification || RESUMES.test(path)
}

/** What anyone may read as often as they like: it is the same for all and costs nothing. */
export function isPublished(path: string): boolean {
  return path === ROUTES.jwks || isMetadata(path)
}
