import { join } from 'node:path'
import { makeFolder } from '../../node/files.js'
import { takeLock } from '../../node/lock.js'
import type { Context } from '../context.js'
import { readState, writeOutput } from '../files.js'

/** A challenge that a registry gave, until it is answered. */
export interface Claim {
  readonly namespace: string
  readonly proof: 'dns' | 'http' | 'oidc'
  readonly account: string
  readonly challenge: string
  /** Identity of the registry. */
  readonly audience: string
  readonly expires: string
}

const NAMES = ['namespace', 'proof', 'account', 'challenge', 'audience', 'expires'] as const

/** The latest claim of a namespace at a registry; undefined when there is none. */
export function readClaim(context: Context, audience: string, namespace: string): Claim | undefined {
  const entry = (readState(fileOf(context)) ?? {})[keyOf({ audience, namespace })]
  if (typeof entry !== 'object' || entry === null) return undefined
  const members = entry as Record<string, unknown>
  return NAMES.every((name) => typeof members[name] === 'string') ? (members as unknown as Claim) : undefined
}

export async function writeClaim(context: Context, claim: Claim): Promise<void> {
  await change(context, (all) => ({ ...all, [keyOf(claim)]: claim }))
}

export async function forgetClaim(context: Context, claim: Claim): Promise<void> {
  const key = keyOf(claim)
  await change(context, (all) => Object.fromEntries(Object.entries(all).filter(([name]) => name !== key)))
}

type Claims = Record<string, unknown>

async function change(context: Context, step: (all: Claims) => Claims): Promise<void> {
  const file = fileOf(context)
  await makeFolder(context.home)
  const lock = await takeLock(`${file}.lock`)
  try {
    writeOutput(file, `${JSON.stringify(step(readState(file) ?? {}), undefined, 2)}\n`, 0o600)
  } finally {
    await lock.release()
  }
}

function keyOf({ audience, namespace }: Pick<Claim, 'audience' | 'namespace'>): string {
  return `${audience} ${namespace}`
}

function fileOf(context: Context): string {
  return join(context.home, 'claims.json')
}
