import { z } from 'zod'
import {
  comparison,
  cursor,
  digest,
  finding,
  index,
  manifestRole,
  namespace,
  published,
  server,
  status,
  time,
} from './common.js'

const summary = { version: z.string(), manifest: digest, role: manifestRole, status, index }
const versionSummary = z.object(summary).meta({ id: 'VersionSummary' })

export const serverList = z
  .object({ servers: z.array(z.object({ server })), cursor })
  .meta({ id: 'ServerList' })

export const serverVersions = z
  .object({ server, namespace, versions: z.array(versionSummary) })
  .meta({ id: 'ServerVersions', description: 'Every version that you may see, newest first by precedence.' })

export const version = z
  .object({
    ...summary,
    publishedAt: time,
    tools: z.array(z.object({ name: z.string(), digest })),
  })
  .meta({ id: 'Version' })

export const document = z.record(z.string(), z.unknown()).meta({
  id: 'Manifest',
  description: 'Everything a model can see of one version (PROTOCOL 4), as it was signed.',
})

const envelope = z.string().meta({ description: 'Compact JWS of the manifest.' })

export const manifest = z.object({ server, ...summary, envelope, document }).meta({ id: 'ManifestView' })

export const lookup = z
  .object({
    servers: z.array(z.object({ server, role: manifestRole, versions: z.array(versionSummary) })),
  })
  .meta({ id: 'Lookup', description: "Publishers' own manifests come before vouchers'." })

export const toolVersions = z
  .object({ tool: digest, versions: z.array(z.object({ server, ...summary })), cursor })
  .meta({ id: 'ToolVersions', description: 'Public versions that hold a tool of exactly this definition.' })

export const difference = z
  .object({ server, from: z.string(), to: z.string(), ...comparison })
  .meta({ id: 'Difference' })

export const publication = z
  .object({
    manifest: digest,
    server,
    version: z.string(),
    status,
    index,
    findings: z.array(finding),
    published,
  })
  .meta({ id: 'Publication' })

export const logEntry = z
  .object({
    index,
    published: z.boolean(),
    size: z.int().min(1).optional().meta({ description: 'Of the published tree that it stands in.' }),
  })
  .meta({ id: 'LogEntry' })

export const seen = z.object({ known: z.literal(true) }).meta({ id: 'Seen' })

export const root = z
  .object({ version: z.int().min(1), digest, index, published })
  .meta({ id: 'PublishedRoot' })
