// As lenient as browsers are: either slash, and after the schemes of the web any number of them. What `ui:` names is a
// resource of the server itself.
const URLS =
  /(?:(?:https?|wss?|ftp):[/\\]*|\b(?!ui:)[a-z][a-z0-9+.-]{0,15}:[/\\]{2,})([^\s/\\?#<>"'`|^]{1,300})/gi
// Of an address with a user, readers differ on where the user ends; browsers take the last sign.
const BEHIND_USER = /(?:https?|wss?|ftp):[/\\]*[^\s/\\?#@]{1,2000}@([^\s/\\?#<>"'`|^]{1,300})/gi
const WITHOUT_SCHEME = /(?<![:\w/\\])\/\/((?:[a-z0-9-]{1,63}\.){1,10}[a-z]{2,63})(?![\w-])/gi
const MAIL = /(?<=[a-z0-9._%+-])@((?:[a-z0-9-]{1,63}\.){1,10}[a-z]{2,63})(?![\w-])/gi
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
  const named = [URLS, BEHIND_USER, WITHOUT_SCHEME, MAIL].flatMap((form) =>
    [...plain.matchAll(form)].map(([, authority = '']) => hostOf(authority)),
  )
  return [...new Set(named)].filter((host) => host !== '' && !RESERVED.test(host))
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
