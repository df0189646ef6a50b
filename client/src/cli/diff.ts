import { existsSync } from 'node:fs'
import { compareManifests } from '../change.js'
import { parseManifest, type Manifest } from '../core/index.js'
import { inspectManifest } from '../gates/index.js'
import type { Host } from '../host.js'
import { changeLines } from './change-view.js'
import type { Context, Input } from './context.js'
import { readInput } from './files.js'
import { openCliHost } from './host.js'
import { bold, dim, type Line } from './output.js'
import { parseReference } from './reference.js'
import { payloadOf } from './signed-manifest.js'
import { refuse } from '../core/index.js'

/** One side of a comparison. */
interface Side {
  readonly manifest: Manifest
  /** Where it came from. */
  readonly source: 'verified' | 'file'
}

/** `countersign diff`: what a registry has is verified before it is compared; a file is what it is. */
export async function diff(context: Context, { args }: Input): Promise<void> {
  const [from = '', to = ''] = args
  const [a, b] = await openSides(context, [from, to])
  const findings = inspectManifest(b.manifest, { knownServers: [] })
  const comparison = compareManifests(a.manifest, b.manifest, findings)
  context.out.result({ from: describe(a), to: describe(b), ...comparison }, [
    headLine('from', a),
    headLine('to', b),
    '',
    ...changeLines(comparison),
  ])
}

async function openSides(context: Context, [from, to]: readonly [string, string]): Promise<[Side, Side]> {
  const isLocal = [from, to].every((text) => existsSync(text))
  if (isLocal) return [readSide(from), readSide(to)]
  const host = await openCliHost(context)
  try {
    return [await openSide(host, from), await openSide(host, to)]
  } finally {
    await host.close()
  }
}

async function openSide(host: Host, text: string): Promise<Side> {
  if (existsSync(text)) return readSide(text)
  if (!text.includes('@')) refuse('usage', `${text}: a side is NAME@VERSION, or a file that is there`)
  const { server, version } = parseReference(text)
  if (version === undefined) refuse('usage', `${text}: a side is NAME@VERSION, or a file that is there`)
  const { manifest } = await host.verify(server, version)
  return { manifest, source: 'verified' }
}

/** A manifest or an envelope. */
function readSide(file: string): Side {
  const bytes = readInput(file)
  const text = Buffer.from(bytes).toString('utf8').trim()
  const isEnvelope = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text)
  return { manifest: parseManifest(isEnvelope ? payloadOf(text) : bytes), source: 'file' }
}

function describe({ manifest: { server, version }, source }: Side): object {
  return { server, version, source }
}

function headLine(name: string, { manifest: { server, version }, source }: Side): Line {
  return [
    dim(name.padEnd(6)),
    bold(`${server} ${version}`),
    dim(source === 'verified' ? '  verified' : '  a file'),
  ]
}
