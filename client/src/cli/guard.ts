import { refuse } from '../core/index.js'
import { DEFAULT_HOST_POLICY, parseHostPolicy, type HostPolicy } from '../host-policy.js'
import { runGuardProcess } from '../proxy/index.js'
import type { Context, Input } from './context.js'
import { Ended } from './failures.js'
import { readInput } from './files.js'
import { openCliHost } from './host.js'
import { tokenFrom } from './reading.js'
import { parseReference } from './reference.js'
import { launchSlot, packageQuery } from './target.js'

interface Options {
  readonly server?: string
  readonly policy?: string
  readonly observe?: boolean
  readonly offline?: string
  readonly url?: string
  readonly tokenFile?: string
}

/** `countersign guard`: stdout belongs to the protocol from here on; everything else goes to stderr. */
export async function guard(context: Context, { args, options }: Input<Options>): Promise<void> {
  const [command, ...rest] = args
  if (options.url !== undefined) refuse('usage', 'the guard speaks to commands; --url is not served yet')
  if (command === undefined) refuse('usage', 'name the server: a command behind --')
  const host = await openCliHost(context, {
    policy: readPolicy(options),
    ...(options.offline !== undefined && { offline: readInput(options.offline) }),
    ...(options.tokenFile !== undefined && { token: tokenFrom(options.tokenFile) }),
  })
  const found = packageQuery(args)
  let code: number
  try {
    code = await runGuardProcess({
      host,
      command,
      args: rest,
      env: serverEnv(context.env),
      slot: launchSlot(args),
      ...(options.server !== undefined && parseReference(options.server)),
      ...(found !== undefined && { package: found }),
    })
  } finally {
    await host.close()
  }
  if (code !== 0) throw new Ended(code, 'the guard ended')
}

function readPolicy({ policy, observe }: Options): HostPolicy {
  const base = policy === undefined ? DEFAULT_HOST_POLICY : parseHostPolicy(readInput(policy))
  return observe === true ? { ...base, mode: 'observe' } : base
}

/** What the host put into our environment is meant for the server; what is ours is not. */
function serverEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !name.toUpperCase().startsWith('COUNTERSIGN_')) passed[name] = value
  }
  return passed
}
