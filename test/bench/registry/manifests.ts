import type { Manifest, Signer } from 'countersign/core'
import { sampleManifest, signManifest } from '../../support/registry.js'

const WORDS =
  'returns the forecast of a city for the next days with its temperature wind and rain as the station measured them'.split(
    ' ',
  )
const TOOLS = 24
export const SERVERS = 16

/** About 20 KB in its envelope: a server of two dozen tools. Every version says something else. */
export function largeManifest(registry: string, serial: number): Manifest {
  const server = `com.example/weather-${serial % SERVERS}`
  const tools = Array.from({ length: TOOLS }, (_, tool) => toolOf(tool, serial))
  return sampleManifest(registry, { server, version: `1.0.${serial}`, tools })
}

function toolOf(tool: number, serial: number): Manifest['tools'][number] {
  const text = (from: number, words: number): string =>
    Array.from({ length: words }, (_, i) => WORDS[(from * 7 + i) % WORDS.length]).join(' ')
  const properties = Object.fromEntries(
    ['city', 'days', 'station'].map((name, i) => [
      name,
      { type: 'string', description: `The ${name}: ${text(tool + i, 12)}.` },
    ]),
  )
  // One tool of each version is another than in the version before.
  const edition = tool === serial % TOOLS ? ` Edition ${serial}.` : ''
  return {
    definition: {
      name: `get_forecast_${tool}`,
      description: `Tool ${tool} ${text(tool, 14)}.${edition}`,
      inputSchema: { type: 'object', properties, required: ['city'] },
    },
    permissions: [],
  }
}

export function largeEnvelope(registry: string, serial: number, key: Signer): string {
  return signManifest(largeManifest(registry, serial), key)
}
