import { hostname } from 'node:os'
import { refuse } from '../../core/index.js'
import { isSameUrl, type Context } from '../context.js'
import type { Credentials, PublicClient } from './credentials-shape.js'
import { findPlace, type Place, type PlaceOptions } from './place.js'
import { askDevice, awaitDevice, realClock, startDeviceFlow, type DevicePrompt } from './oauth/device.js'
import { CLI_CLIENT } from './oauth/discovery.js'
import { makeProofKey, offersProofs } from './oauth/dpop.js'
import type { Party } from './oauth/grants.js'
import { bold, dim, type Line } from '../output.js'

interface Options extends PlaceOptions {
  readonly clientId?: string
}

/** A person agrees in a browser, here or elsewhere; this program waits and gets a login of its own (RFC 8628). */
export async function loginByDevice(
  context: Context,
  registry: string,
  options: Options,
): Promise<Credentials> {
  const place = await findPlace(context, registry, options, 'people')
  const { door, party } = place
  const clientId = clientOf(place, options)
  const proofKey = offersProofs(party.server, door) ? await makeProofKey() : undefined
  const flow = await startDeviceFlow(party, clientId)
  sayPrompt(context, flow.prompt, party)
  const asking: PublicClient = { kind: 'public', clientId, ...(proofKey !== undefined && { proofKey }) }
  const { token, refreshToken } = await awaitDevice(
    flow,
    () => askDevice(party, asking, flow),
    realClock(context.signal),
  )
  if (refreshToken === undefined) {
    refuse('registry-error', 'the authorization server gives no refresh token: log in with a client instead')
  }
  return {
    ...asking,
    kind: 'refresh',
    refreshToken,
    issuer: party.server.issuer,
    resource: door.resource,
    token,
  }
}

/** What this program is called there: at another house's issuer, whoever set that up knows. */
function clientOf({ door, party }: Place, { clientId }: Options): string {
  const known = clientId ?? door.clientId
  if (known !== undefined) return known
  if (isSameUrl(party.server.issuer, door.resource)) return CLI_CLIENT
  return refuse('usage', 'say what this program is called at that issuer: --client-id ID', {
    issuer: party.server.issuer,
  })
}

function sayPrompt({ out }: Context, prompt: DevicePrompt, { server, scopes }: Party): void {
  const minutes = Math.max(1, Math.round((prompt.expiresAt - Date.now()) / 60_000))
  const lines: Line[] = [
    ['Open   ', bold(prompt.url)],
    ['and type the code   ', bold(prompt.code)],
    ...(prompt.completeUrl === undefined ? [] : [[dim(`or open ${prompt.completeUrl}`)]]),
    [
      dim(
        `The page must be of ${server.issuer} and show this code, and countersign on ${hostname()}, which asks for:`,
      ),
    ],
    [dim(`  ${scopes.join(' ')}`)],
    [dim(`Waiting up to ${minutes} minutes; Ctrl-C ends it.`)],
  ]
  for (const line of lines) out.say(line)
}
