import { CountersignError, isJsonObject, parseStrictJson, refuse, type JsonObject } from '../../core/index.js'
import { jsonBody, openCall, type Call } from '../call.js'
import type { Context, Input } from '../context.js'
import { readInput, writeOutput } from '../files.js'
import { objectsOf, shownMember } from '../members.js'
import { bold, dim, green, pairs, quoted, table, type Line } from '../output.js'
import { confirm } from '../prompt.js'

interface Current {
  readonly version: number
  readonly digest: string
  readonly policy: JsonObject
  readonly history: readonly JsonObject[]
}

async function fetchPolicy(call: Call): Promise<Current> {
  const answer = await call('GET', '/v1/policy')
  const { version, policy, history } = isJsonObject(answer) ? answer : {}
  if (!isJsonObject(answer) || typeof version !== 'number' || !isJsonObject(policy ?? null)) {
    refuse('registry-error', 'the registry shows no policy')
  }
  const digest = shownMember(answer, 'digest')
  return { version, digest, policy: policy as JsonObject, history: objectsOf(history) }
}

/** `countersign admin policy show` */
export async function showPolicy(context: Context, { options }: Input<{ out?: string }>): Promise<void> {
  const { version, digest, policy, history } = await fetchPolicy(openCall(context))
  const text = JSON.stringify(policy, undefined, 2)
  if (options.out !== undefined) writeOutput(options.out, `${text}\n`)
  const head: Line[] = pairs([
    ['version', String(version)],
    ['digest', digest],
    ...(options.out === undefined ? [] : [['written', options.out] as const]),
  ])
  context.out.result({ version, digest, policy, history }, [
    ...head,
    ...quoted(text),
    ...(history.length === 0 ? [] : ['', [bold('history')] as Line, ...historyLines(history)]),
    [dim(`next: countersign admin policy set FILE --after ${version}`)],
  ])
}

function historyLines(history: readonly JsonObject[]): Line[] {
  const names = ['version', 'digest', 'by', 'at']
  return table(
    names.map((name) => name.toUpperCase()),
    history.map((one) => names.map((name) => shownMember(one, name))),
  )
}

interface SetOptions {
  readonly after?: string
  readonly yes?: boolean
}

/** `countersign admin policy set`: refused when somebody changed it since. */
export async function setPolicy(context: Context, { args, options }: Input<SetOptions>): Promise<void> {
  const policy = readDocument(args[0] ?? '-')
  const typed = readVersion(options.after)
  const call = openCall(context)
  const after = typed ?? (await fetchPolicy(call)).version
  await confirm(
    context,
    `Decide under the policy of ${args[0] ?? '-'} from now on, after version ${after}?`,
    options,
  )
  const answer = await call('PUT', '/v1/policy', jsonBody({ after, policy }))
  if (!isJsonObject(answer)) refuse('registry-error', 'the registry shows no policy')
  context.out.result(answer, [
    [green('set'), ` as version ${shownMember(answer, 'version')}`],
    [dim('  '), dim(shownMember(answer, 'digest'))],
  ])
}

function readDocument(path: string): JsonObject {
  try {
    const value = parseStrictJson(readInput(path, 64 * 1024), { maxBytes: 64 * 1024 })
    if (isJsonObject(value)) return value
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'io') throw cause
    throw new CountersignError('usage', `${path} is no policy: ${cause.message}`, cause.detail, { cause })
  }
  return refuse('usage', `${path} is no policy`)
}

function readVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^(?:0|[1-9][0-9]{0,9})$/.test(text)) refuse('usage', '--after is a version number')
  return Number(text)
}
