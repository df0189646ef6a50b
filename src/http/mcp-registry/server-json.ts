import { z } from 'zod'

// The shape of server.json as published on 2025-12-11, whose strict readers drop a whole page for one wrong member.
// What it does not name is left out on the way.

export const SERVER_SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'

export const MAX_DESCRIPTION = 100

const text = z.string().max(65_536)
const uri = z
  .string()
  .max(2048)
  .refine((value) => URL.canParse(value), 'no URI')

const inputMembers = {
  description: text.optional(),
  isRequired: z.boolean().optional(),
  format: z.enum(['string', 'number', 'boolean', 'filepath']).optional(),
  value: text.optional(),
  isSecret: z.boolean().optional(),
  default: text.optional(),
  placeholder: text.optional(),
  choices: z.array(text).max(1000).optional(),
}
const variables = z.record(text, z.object(inputMembers))
const withVariables = { ...inputMembers, variables: variables.optional() }
const keyValue = z.object({ ...withVariables, name: text })

const argument = z.union([
  z.object({ ...withVariables, type: z.literal('named'), name: text, isRepeated: z.boolean().optional() }),
  z
    .object({
      ...withVariables,
      type: z.literal('positional'),
      valueHint: text.optional(),
      isRepeated: z.boolean().optional(),
    })
    .refine(
      ({ valueHint, value }) => valueHint !== undefined || value !== undefined,
      'neither hint nor value',
    ),
])

/** Of a template: what its variables make of it is a URL. */
const urlTemplate = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/[^\s]+$/)
const overHttp = { url: urlTemplate, headers: z.array(keyValue).optional() }
const transport = z.discriminatedUnion('type', [
  z.object({ type: z.literal('stdio') }),
  z.object({ type: z.literal('streamable-http'), ...overHttp }),
  z.object({ type: z.literal('sse'), ...overHttp }),
])

const packageShape = z.object({
  registryType: text,
  registryBaseUrl: uri.optional(),
  identifier: text,
  version: z
    .string()
    .min(1)
    .max(255)
    .refine((version) => version !== 'latest', 'no exact version')
    .optional(),
  fileSha256: z
    .string()
    .regex(/^[a-f0-9]{64}$/)
    .optional(),
  runtimeHint: text.optional(),
  transport,
  runtimeArguments: z.array(argument).optional(),
  packageArguments: z.array(argument).optional(),
  environmentVariables: z.array(keyValue).optional(),
})

const remoteShape = z.discriminatedUnion('type', [
  z.object({ type: z.literal('streamable-http'), ...overHttp, variables: variables.optional() }),
  z.object({ type: z.literal('sse'), ...overHttp, variables: variables.optional() }),
])

export const iconShape = z.object({
  src: uri.refine((src) => src.startsWith('https:') && src.length <= 255, 'no https URL of 255 characters'),
  mimeType: z.enum(['image/png', 'image/jpeg', 'image/jpg', 'image/svg+xml', 'image/webp']).optional(),
  sizes: z.array(z.string().regex(/^(\d+x\d+|any)$/)).optional(),
  theme: z.enum(['light', 'dark']).optional(),
})

export const repositoryShape = z.object({
  url: uri,
  source: z.string().min(1),
  id: text.optional(),
  subfolder: text.optional(),
})

export const serverDetail = z.object({
  $schema: z.literal(SERVER_SCHEMA),
  name: z
    .string()
    .min(3)
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  description: z.string().min(1).max(MAX_DESCRIPTION),
  title: z.string().min(1).max(100).optional(),
  version: z.string().min(1).max(255),
  repository: repositoryShape.optional(),
  websiteUrl: uri.optional(),
  icons: z.array(iconShape).optional(),
  packages: z.array(packageShape).optional(),
  remotes: z.array(remoteShape).optional(),
})

export type ServerDetail = z.output<typeof serverDetail>

/** What clients of the registry API read a version's standing from, whoever's registry it is. */
export const OFFICIAL_META = 'io.modelcontextprotocol.registry/official'
/** What this registry says beyond that; hints, like everything here: hosts verify the bundle. */
export const TRUST_META = 'dev.countersign/trust'

const time = z.iso.datetime()
const index = z.number().int().min(0)

export const serverResponse = z.object({
  server: serverDetail,
  _meta: z.object({
    [OFFICIAL_META]: z.object({
      status: z.enum(['active', 'deprecated', 'deleted']),
      statusChangedAt: time,
      publishedAt: time,
      updatedAt: time,
      isLatest: z.boolean(),
    }),
    [TRUST_META]: z.object({
      registry: z.string(),
      role: z.enum(['publisher', 'voucher']),
      manifest: z.string(),
      bundle: z.string(),
      publishIndex: index,
      approveIndex: index,
      log: z.object({ origin: z.string(), size: index }),
    }),
  }),
})

export type ServerResponse = z.output<typeof serverResponse>

export const serverList = z.object({
  servers: z.array(serverResponse),
  metadata: z.object({ nextCursor: z.string().optional(), count: index }),
})

export type ServerList = z.output<typeof serverList>
