import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIPv6, type LookupFunction } from 'node:net'
import { rootCertificates } from 'node:tls'
import { isLoopback, reachOf } from './address.js'
import { exchange } from './exchange.js'
import { OutsideError, type Outside, type OutsideRequest } from './outside.js'
import { openNames, type Names } from './resolve.js'

export interface OutsideOptions {
  /** `ADDRESS` or `ADDRESS:PORT`; those of the system when absent. */
  readonly dnsServers?: readonly string[]
  /** Addresses that anyone may make us speak to although they are not public. */
  readonly allow?: (address: string) => boolean
  /** A certificate authority besides the well-known ones, PEM. */
  readonly ca?: string
  /** Where https really is for URLs that name no port, behind a firewall that moves it. */
  readonly httpsPort?: number
}

const DEFAULT_BYTES = 4096
const DEFAULT_TIMEOUT = 10_000

/**
 * The world beyond the registry. A request goes to an address that was looked up and checked here, and to no other:
 * a name that resolves differently a moment later changes nothing.
 */
export function openOutside(options: OutsideOptions = {}): Outside {
  const names = openNames(options.dnsServers)
  return {
    resolveTxt: (name) => names.resolveTxt(name),
    async request(text, asked = {}) {
      const url = parseUrl(text, asked)
      const { timeoutMs = DEFAULT_TIMEOUT, maxBytes = DEFAULT_BYTES } = asked
      const time = AbortSignal.timeout(timeoutMs)
      const deadline = asked.signal === undefined ? time : AbortSignal.any([time, asked.signal])
      const addresses = await within(deadline, findAddresses(names, url, asked, options))
      return exchange(openRequest(url, addresses, asked, options, deadline), asked.body, maxBytes)
    },
  }
}

/** https, on a port that is no other service's, and no credentials in it. Loopback over http is seen to later. */
function parseUrl(text: string, { trusted = false }: OutsideRequest): URL {
  const url = URL.canParse(text) ? new URL(text) : invalid('is no URL')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') invalid('is no https: URL')
  if (url.username !== '' || url.password !== '') invalid('carries a name or password')
  const port = Number(url.port || 443)
  // A TLS greeting to a mail or database port is a request that somebody else chose.
  if (!trusted && url.protocol === 'https:' && port !== 443 && port < 1024) invalid('names a port below 1024')
  return url
}

function invalid(what: string): never {
  throw new OutsideError('url-invalid', `the URL ${what}`)
}

/** Every address the name has, or none: one bad one among them is a name that may turn. */
async function findAddresses(
  names: Names,
  url: URL,
  { trusted = false }: OutsideRequest,
  { allow }: OutsideOptions,
): Promise<readonly string[]> {
  const host = hostOf(url)
  const addresses = await names.resolveAddresses(host, trusted)
  const isAllowed = (address: string): boolean => {
    const reach = reachOf(address)
    return reach === 'public' || (reach === 'private' && trusted) || allow?.(address) === true
  }
  if (!addresses.every(isAllowed)) {
    throw new OutsideError('address-refused', `${host} has an address that is not public`)
  }
  if (url.protocol === 'http:' && !addresses.every(isLoopback)) invalid('is no https: URL')
  return addresses
}

function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function openRequest(
  url: URL,
  addresses: readonly string[],
  { method = 'GET', headers = {} }: OutsideRequest,
  { ca, httpsPort }: OutsideOptions,
  signal: AbortSignal,
) {
  const checked = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
  const common = {
    method,
    // No connection outlives its request: a kept one would skip the look-up and the check.
    agent: false as const,
    headers: { 'User-Agent': 'countersign-registry', ...headers, Host: url.host, Connection: 'close' },
    maxHeaderSize: 16_384,
    signal,
    lookup: answerWith(checked),
  }
  if (url.protocol === 'http:') return requestHttp(url, common)
  return requestHttps(url, {
    ...common,
    ...(url.port === '' && httpsPort !== undefined ? { port: httpsPort } : {}),
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
  })
}

type Checked = readonly { readonly address: string; readonly family: number }[]
/** What Node asks when it connects: the addresses that were checked, whatever the name says now. */
function answerWith(checked: Checked): LookupFunction {
  return (_host, options, done) => {
    const [first = { address: '', family: 0 }] = checked
    if (options.all === true) done(null, [...checked])
    else done(null, first.address, first.family)
  }
}

/** A look-up cannot be called off; it is no longer waited for. */
function within<T>(deadline: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new OutsideError('unreachable', 'the name was not answered for in time'))
    if (deadline.aborted) late()
    deadline.addEventListener('abort', late, { once: true })
    work.then(resolve, reject).finally(() => deadline.removeEventListener('abort', late))
  })
}
