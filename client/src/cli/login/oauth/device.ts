import { hostname } from 'node:os'
import * as oauth from 'oauth4webapi'
import { CountersignError, refuse } from '../../../core/index.js'
import { isLocal, isSameUrl } from '../../context.js'
import type { PublicClient } from '../credentials-shape.js'
import { Secret } from '../secret.js'
import { request, type Granted, type Party } from './grants.js'
import { asFailure, requestOptions } from './http.js'

/** Seconds between two questions when the server names none, and by how much to slow down (RFC 8628 3.5). */
const INTERVAL = 5
const MAX_INTERVAL = 60
const MAX_LIFETIME = 3600

/** What a person is told while the program waits. */
export interface DevicePrompt {
  readonly url: string
  readonly code: string
  /** The same address with the code in it, where the server gives one. */
  readonly completeUrl?: string
  /** ms since the epoch */
  readonly expiresAt: number
}

export interface DeviceFlow {
  readonly prompt: DevicePrompt
  readonly deviceCode: Secret
  /** Seconds between two questions. */
  readonly interval: number
}

/** Asks for a code that a person types elsewhere (RFC 8628 3.1). */
export async function startDeviceFlow(party: Party, clientId: string): Promise<DeviceFlow> {
  const { server, resource, signal } = party
  const client = { client_id: clientId }
  if (server.device_authorization_endpoint === undefined) {
    refuse('registry-error', 'the authorization server has no device flow: log in with --client-id', {
      issuer: server.issuer,
    })
  }
  try {
    const isOffline = wantsOffline(party)
    const scopes = isOffline ? [...party.scopes, 'openid', 'offline_access'] : party.scopes
    const parameters = { scope: scopes.join(' '), resource, ...(isOffline && { prompt: 'consent' }) }
    const response = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), parameters, {
      ...requestOptions(server.issuer, signal),
      headers: { 'user-agent': agentName() },
    })
    return readFlow(await oauth.processDeviceAuthorizationResponse(server, client, response))
  } catch (error) {
    throw asFailure(error, server.issuer)
  }
}

/** The page where the person agrees shows it beside the code. */
function agentName(): string {
  return `countersign on ${hostname()
    .replaceAll(/[^A-Za-z0-9.-]/g, '')
    .slice(0, 63)}`
}

/** Issuers of other houses give a refresh token only to who asks for it, some only with consent. */
function wantsOffline({ server, resource }: Party): boolean {
  const isOwn = isSameUrl(server.issuer, resource)
  return !isOwn && server.scopes_supported?.includes('offline_access') === true
}

function readFlow(answer: oauth.DeviceAuthorizationResponse): DeviceFlow {
  const { verification_uri: url, verification_uri_complete: completeUrl, interval } = answer
  const seconds = Math.min(answer.expires_in, MAX_LIFETIME)
  return {
    prompt: {
      url: webAddress(url),
      code: userCode(answer.user_code),
      ...(completeUrl !== undefined && { completeUrl: webAddress(completeUrl) }),
      expiresAt: Date.now() + seconds * 1000,
    },
    deviceCode: new Secret(answer.device_code),
    interval: Math.min(Math.max(interval ?? INTERVAL, 1), MAX_INTERVAL),
  }
}

/**
 * Terminals make links of what they are shown, and a password is typed there: https, or this machine, and no other name
 * before the host’s. In its one spelling: a host of another script reads as what it is.
 */
function webAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPage = url !== undefined && (url.protocol === 'https:' || isLocal(url))
  if (isPage && url.username === '' && url.password === '') return url.href
  return refuse('registry-error', 'the authorization server names no page that a password may be typed into')
}

function userCode(text: string): string {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9 -]{0,30}[A-Za-z0-9])?$/.test(text)) return text
  return refuse('registry-error', 'the authorization server gives no code that can be typed')
}

/** Time, for the loop that waits; tests have their own. */
export interface Clock {
  now(): number
  /** @throws when the person ends the command meanwhile */
  sleep(ms: number): Promise<void>
}

/**
 * Asks until the person agreed: no faster than told, slower when told so, and until the code expires.
 * @throws CountersignError `registry-refused` with the code `access_denied` or `expired_token`
 */
export async function awaitDevice(
  flow: DeviceFlow,
  ask: () => Promise<Granted>,
  clock: Clock,
): Promise<Granted> {
  let { interval } = flow
  for (;;) {
    if (clock.now() >= flow.prompt.expiresAt) {
      refuse('registry-refused', 'nobody typed the code in time', { code: 'expired_token' })
    }
    await clock.sleep(interval * 1000)
    try {
      return await ask()
    } catch (error) {
      const next = waitAfter(error)
      if (next === 'end') throw error
      if (next === 'slower') interval = Math.min(interval + INTERVAL, MAX_INTERVAL)
    }
  }
}

/** A server that is busy or away for a moment is asked again, more slowly (RFC 8628 3.5). */
function waitAfter(error: unknown): 'same' | 'slower' | 'end' {
  if (!(error instanceof CountersignError)) return 'end'
  if (error.detail['code'] === 'authorization_pending') return 'same'
  const isLater = error.detail['code'] === 'slow_down' || error.code === 'registry-unreachable'
  return isLater ? 'slower' : 'end'
}

/** One question: whether the person agreed. */
export async function askDevice(party: Party, credentials: PublicClient, flow: DeviceFlow): Promise<Granted> {
  const { server, resource } = party
  const client = { client_id: credentials.clientId }
  try {
    return await request(party, credentials, party.scopes, async (auth, options) =>
      oauth.processDeviceCodeResponse(
        server,
        client,
        await oauth.deviceCodeGrantRequest(server, client, auth, flow.deviceCode.reveal(), {
          ...options,
          additionalParameters: { resource },
        }),
      ),
    )
  } catch (error) {
    throw asFailure(error, server.issuer)
  }
}

/** The machine's clock; sleeping ends with the command. */
export function realClock(signal: AbortSignal): Clock {
  return {
    now: () => Date.now(),
    sleep: (ms) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const timer = setTimeout(() => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        }, ms)
        const onAbort = (): void => {
          clearTimeout(timer)
          reject(signal.reason instanceof Error ? signal.reason : new Error('interrupted'))
        }
        signal.addEventListener('abort', onAbort, { once: true })
      }),
  }
}
