// As lenient as browsers are: either slash, and after the schemes of the web any number of them. What `ui:` names is a
// resource of the server itself.
const URLS =
  /(?:(?:https?|wss?|ftp):[/\\]*|\b(?!ui:)[a-z][a-z0-9+.-]{0,15}:[/\\]{2,})([^\s/\\?#<>"'`|^]{1,300})/gi
// Of an address with a user, readers differ on where the user ends; browsers take the last sign.
const SCHEME = /(?:https?|wss?|ftp):[/\\]*/gi
const USER = /[^\s/\\?#@]+/y
const BEHIND_USER = /@([^\s/\\?#<>"'`|^]{1,300})/y
const WITHOUT_SCHEME = /(?<![:\w/\\])\/\/((?:[a-z0-9-]{1,63}\.){1,10}[a-z]{2,63})(?![\w-])/gi
const MAIL = /(?<=[a-z0-9._%+-])@((?:[a-z0-9-]{1,63}\.){1,10}[a-z]{2,63})(?![\w-])/gi
/** Each with what a text must hold to name a host in this way: most hold none. */
const FORMS: readonly (readonly [sign: string, form: RegExp])[] = [
  [':', URLS],
  ['//', WITHOUT_SCHEME],
  ['@', MAIL],
]
const TRAILING = /[.,;:!?)\]}*_]+$/

/** Reserved for documentation (RFC 2606): nobody can receive anything there. */
const RESERVED = /(?:^|\.)example(?:\.(?:com|net|org))?$|\.(?:invalid|test)$/

/**
 * The hosts that the URLs and mail addresses of a text name, lower case, without port and user. A host that a template
 * leaves open (`{owner}.example.com`) is named as it is written.
 */
export function hostsOf(text: string): string[] {
  if (!/[:@：＠︓﹕﹫]|\/\//.test(text)) return []
  // Letters of full width and their relatives are read, and resolved, as the plain ones.
  const plain = text.normalize('NFKC')
  const named = FORMS.filter(([sign]) => plain.includes(sign)).flatMap(([, form]) =>
    [...plain.matchAll(form)].map(([, authority = '']) => authority),
  )
  const hosts = [...named, ...(plain.includes('@') ? behindUsers(plain) : [])].map(hostOf)
  return [...new Set(hosts)].filter((host) => host !== '' && !RESERVED.test(host))
}

/** No expression of one piece: what has no sign at its end would be walked again from each scheme in it. */
function behindUsers(text: string): string[] {
  const authorities: string[] = []
  SCHEME.lastIndex = 0
  while (SCHEME.test(text)) {
    const start = (USER.lastIndex = SCHEME.lastIndex)
    if (!USER.test(text)) continue
    BEHIND_USER.lastIndex = USER.lastIndex
    const authority = BEHIND_USER.exec(text)?.[1]
    if (authority !== undefined) authorities.push(authority)
    // What ended the run may be the slashes of a scheme that is its last word.
    SCHEME.lastIndex = Math.max(start, USER.lastIndex - 'https:'.length, BEHIND_USER.lastIndex)
  }
  return authorities
}

function hostOf(authority: string): string {
  const afterUser = authority.slice(authority.lastIndexOf('@') + 1).replace(TRAILING, '')
  const withoutPort = afterUser.replace(/:(?:\d{0,5}|[{<$][^:]*)$/, '').toLowerCase()
  return asciiHost(withoutPort).replace(TRAILING, '')
}

/** What a client would connect to: full-width dots and letters, percent signs and other alphabets resolved. */
function asciiHost(host: string): string {
  if (/^[a-z0-9.-]*$/.test(host)) return host
  try {
    return new URL(`http://${host}/`).hostname
  } catch {
    // Not a host that anything resolves: a template. It stands for itself.
    return host
  }
}
