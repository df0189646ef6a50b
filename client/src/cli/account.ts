import { isJsonObject, refuse, type JsonObject } from '../core/index.js'
import type { Call } from './call.js'
import { shownMember, textsOf } from './members.js'
import { pairs, type Line } from './output.js'

/** Who the registry takes a token for. */
export interface Me {
  readonly account: string
  readonly login?: string
  readonly kind?: string
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
  readonly clientId: string
  readonly namespaces: readonly string[]
  /** Of a workflow: the servers it may publish, and nothing else. */
  readonly servers?: readonly string[]
}

/** @throws CountersignError `registry-refused`, `registry-error` */
export async function fetchMe(call: Call): Promise<Me> {
  const answer = await call('GET', '/v1/account')
  if (!isJsonObject(answer) || typeof answer['account'] !== 'string') {
    refuse('registry-error', 'the registry does not say who this is')
  }
  const { account, publishes } = answer
  const login = shownMember(answer, 'login')
  const kind = shownMember(answer, 'kind')
  return {
    account,
    ...(login !== '' && { login }),
    ...(kind !== '' && { kind }),
    roles: textsOf(answer['roles']),
    scopes: textsOf(answer['scopes']),
    clientId: shownMember(answer, 'clientId'),
    namespaces: textsOf(answer['namespaces']),
    ...(isJsonObject(publishes) && { servers: serversOf(publishes) }),
  }
}

function serversOf(publishes: JsonObject): string[] {
  return textsOf(publishes['servers'])
}

export function meLines(me: Me): Line[] {
  const none = (values: readonly string[]): string => (values.length === 0 ? '(none)' : values.join(' '))
  return pairs([
    ['account', me.login === undefined ? me.account : `${me.account} (${me.login})`],
    ['roles', none(me.roles)],
    ['client', me.clientId],
    ['scopes', none(me.scopes)],
    ['namespaces', none(me.namespaces)],
    ...(me.servers === undefined ? [] : [['may publish', none(me.servers)] as const]),
  ])
}
