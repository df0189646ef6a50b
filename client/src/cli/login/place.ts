import { refuse } from '../../core/index.js'
import { KNOWN_SCOPES, type Context } from '../context.js'
import {
  chosenIssuer,
  discoverDoor,
  discoverIssuer,
  issuerOfMachines,
  issuerOfPeople,
  type LoginDoor,
} from './oauth/discovery.js'
import type { Party } from './oauth/grants.js'

export interface PlaceOptions {
  readonly issuer?: string
  readonly scope?: readonly string[]
}

/** Where this login happens. */
export interface Place {
  readonly door: LoginDoor
  readonly party: Party
}

/** Asks the registry where logins are, and the issuer there what it can do. */
export async function findPlace(
  context: Context,
  registry: string,
  options: PlaceOptions,
  who: 'people' | 'machines',
): Promise<Place> {
  const { signal } = context
  const door = await discoverDoor(registry, signal)
  const usual = who === 'people' ? issuerOfPeople(door) : issuerOfMachines(door)
  const issuer = options.issuer === undefined ? usual : chosenIssuer(door, options.issuer)
  const server = await discoverIssuer(issuer, signal)
  const scopes = options.scope === undefined ? door.scopes : chosenScopes(options.scope)
  return { door, party: { server, resource: door.resource, scopes, signal } }
}

function chosenScopes(typed: readonly string[]): string[] {
  const scopes = typed.map((one) => (one.startsWith('registry:') ? one : `registry:${one}`))
  if (!scopes.every((one) => KNOWN_SCOPES.includes(one)))
    refuse('usage', `a scope is one of ${KNOWN_SCOPES.join(', ')}`)
  return scopes
}
