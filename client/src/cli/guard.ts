import { join } from 'node:path'
import { refuse } from '../core/index.js'
import type { Host } from '../host.js'
import { runGuardProcess, runGuardServer, toStderr, type ProxyOptions } from '../proxy/index.js'
import type { Records } from '../records/index.js'
import type { Context, Input } from './context.js'
import { Ended } from './failures.js'
import { readInput, readSecret } from './files.js'
import { openCliHost } from './host.js'
import { readPolicyOption, type PolicyOptions } from './policy-option.js'
import { tokenFrom } from './reading.js'
import { openCliRecords, type RecordOptions } from './records.js'
import { parseReference } from './reference.js'
import { launchSlot, packageQuery, readTarget, type TargetOptions } from './target.js'

interface Options extends PolicyOptions, RecordOptions, Pick<TargetOptions, 'url' | 'header'> {
  readonly server?: string
  readonly offline?: string
  readonly tokenFile?: string
  readonly serverTokenFile?: string
  readonly listen?: string
  readonly secretFile?: string
  readonly agent?: string
}

/** `countersign guard`: stdout belongs to the protocol from here on; everything else goes to stderr. */
export async function guard(context: Context, { args, options }: Input<Options>): Promise<void> {
  const target = readServer(context, args, options)
  const port = readPort(options)
  const records = openCliRecords(context, options, toStderr)
  const host = await openHostFor(context, options, records)
  let code: number
  try {
    const proxy = { ...target, host, ...(await validatorFor(host, options)) }
    code =
      port === undefined
        ? await runGuardProcess({ ...proxy, ...listenTo(records, target.slot, options) })
        : await runGuardServer({ ...proxy, port, ...serving(options, records, target.slot) })
  } finally {
    await host.close()
    await records?.close()
  }
  if (code !== 0) throw new Ended(code, 'the guard ended')
}

/** Which server, how it is reached, and what a host remembers it by. */
function readServer(
  context: Context,
  args: readonly string[],
  options: Options,
): Omit<ProxyOptions, 'host'> & { readonly slot: string } {
  const { url, headers } = readTarget(args, options)
  const [command, ...rest] = args
  const { server, serverTokenFile: tokenFile } = options
  if (command !== undefined && (tokenFile !== undefined || headers !== undefined))
    refuse('usage', '--header and --server-token-file are for a server behind --url')
  const found = packageQuery(args)
  return {
    ...(server !== undefined && parseReference(server)),
    ...(command !== undefined && { command, args: rest, env: serverEnv(context.env) }),
    ...(command !== undefined && { eras: join(context.home, 'eras') }),
    ...(found !== undefined && { package: found }),
    ...(url !== undefined && { url }),
    ...(headers !== undefined && { headers }),
    ...(tokenFile !== undefined && { serverToken: tokenFrom(tokenFile) }),
    slot: url ?? launchSlot(args),
  }
}

function readPort({ listen, secretFile }: Options): number | undefined {
  if (listen === undefined) {
    if (secretFile !== undefined) refuse('usage', '--secret-file is for --listen')
    return undefined
  }
  const port = Number(listen)
  if (!/^\d{1,5}$/.test(listen) || port > 65_535) refuse('usage', '--listen is a port, 0 for any free one')
  return port
}

async function openHostFor(context: Context, options: Options, records: Records | undefined): Promise<Host> {
  const { offline, tokenFile } = options
  return await openCliHost(context, {
    ...readPolicyOption(options),
    ...(offline !== undefined && { offline: readInput(offline) }),
    ...(tokenFile !== undefined && { token: tokenFrom(tokenFile) }),
    ...(records !== undefined && { onEvent: records.onHostEvent }),
  })
}

/**
 * Loaded only where the policy looks at schemas: it weighs more than all the rest. The policy of a registry may ask for it
 * while the guard runs.
 */
export async function validatorFor(
  { policy }: Pick<Host, 'policy'>,
  options: PolicyOptions,
): Promise<Pick<ProxyOptions, 'validator'>> {
  const isFollowed = options.policy === 'registry'
  if (!isFollowed && policy.arguments === 'off' && policy.results === 'off') return {}
  const { openValidator } = await import('../validate/index.js')
  return { validator: openValidator() }
}

function listenTo(
  records: Records | undefined,
  slot: string,
  { agent }: Options,
): Pick<ProxyOptions, 'onEvent'> {
  if (records === undefined) return {}
  return { onEvent: records.connection({ slot, ...(agent !== undefined && { agent }) }) }
}

function serving(
  { secretFile, agent }: Options,
  records: Records | undefined,
  slot: string,
): Pick<Parameters<typeof runGuardServer>[0], 'secret' | 'listenerOf'> {
  return {
    ...(secretFile !== undefined && { secret: readSecret(secretFile) }),
    ...(records !== undefined && {
      listenerOf: (session) => records.connection({ slot, session, ...(agent !== undefined && { agent }) }),
    }),
  }
}

/** What the host put into our environment is meant for the server; what is ours is not. */
function serverEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !name.toUpperCase().startsWith('COUNTERSIGN_')) passed[name] = value
  }
  return passed
}
