import { isJsonObject, refuse, type JsonObject, type JsonValue } from '../../core/index.js'
import { jsonBody, openCall } from '../call.js'
import type { Context, Input } from '../context.js'
import { shownMember } from '../members.js'
import { bold, dim, green, indented, pairs, red, type Line } from '../output.js'
import { fetchPages, withQuery } from '../pages.js'
import { confirm } from '../prompt.js'

const PATH = '/v1/admin/trusted-publishers'
/** What is shown of one; the registry takes fewer. */
const MAX_CLAIMS = 32

interface AddOptions {
  readonly provider: string
  readonly claim: readonly string[]
  readonly server?: string
  readonly issuer?: string
  readonly account?: string
}

/** `countersign admin trusted-publishers add` */
export async function addTrustedPublisher(
  context: Context,
  { args, options }: Input<AddOptions>,
): Promise<void> {
  const { provider, claim, server, issuer, account } = options
  const body = {
    namespace: args[0] ?? '',
    provider,
    claims: readClaims(claim),
    ...(server !== undefined && { server }),
    ...(issuer !== undefined && { issuer }),
    ...(account !== undefined && { account }),
  }
  const made = await openCall(context)('POST', PATH, jsonBody(body))
  if (!isJsonObject(made)) refuse('registry-error', 'the registry gave no trusted publisher')
  context.out.result(made, [[green('trusted'), ' to publish:'], ...rowLines(made)])
}

function readClaims(texts: readonly string[]): Record<string, string> {
  const pairsOf = texts.map((text) => {
    const at = text.indexOf('=')
    if (at < 1 || at === text.length - 1) refuse('usage', 'a claim reads NAME=VALUE')
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  if (new Set(pairsOf.map(([name]) => name)).size !== pairsOf.length) refuse('usage', 'a claim stands twice')
  return Object.fromEntries(pairsOf)
}

/** `countersign admin trusted-publishers list` */
export async function listTrustedPublishers(
  context: Context,
  { options }: Input<{ namespace?: string }>,
): Promise<void> {
  const path = withQuery(PATH, { namespace: options.namespace })
  const rows = await fetchPages(openCall(context), path, 'trustedPublishers')
  context.out.result(
    { trustedPublishers: rows },
    rows.length === 0 ? ['no workflow may publish'] : rows.flatMap(rowLines),
  )
}

function rowLines(row: JsonObject): Line[] {
  const server = shownMember(row, 'server')
  const what = server === '' ? `${shownMember(row, 'namespace')}/*` : server
  return [
    [bold(shownMember(row, 'id')), `  ${what} as ${shownMember(row, 'account')}`],
    [dim(`  by ${shownMember(row, 'issuer')}`)],
    ...claimLines(row['claims']),
  ]
}

function claimLines(claims: JsonValue | undefined): Line[] {
  const rows = Object.entries(isJsonObject(claims ?? null) ? (claims as JsonObject) : {})
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .slice(0, MAX_CLAIMS)
  return rows.length === 0 ? [] : indented(pairs(rows))
}

/** `countersign admin trusted-publishers remove` */
export async function removeTrustedPublisher(
  context: Context,
  { args, options }: Input<{ yes?: boolean }>,
): Promise<void> {
  const id = args[0] ?? ''
  await confirm(context, `Let the workflow of ${id} publish no more?`, options)
  const gone = await openCall(context)('DELETE', `${PATH}/${encodeURIComponent(id)}`)
  context.out.result(isJsonObject(gone) ? gone : { id }, [[red('removed'), ` ${id}`]])
}
