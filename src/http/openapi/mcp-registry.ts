import { z } from 'zod'
import { serverList, serverResponse } from '../mcp-registry/server-json.js'
import type { Fixed } from './fixed.js'
import type { Parameter } from './types.js'

const entry = serverResponse.meta({
  id: 'McpServerResponse',
  description: 'server.json of 2025-12-11, with our trust data in `_meta`.',
})
const list = serverList.extend({ servers: z.array(entry) }).meta({ id: 'McpServerList' })

const query = (
  name: string,
  description: string,
  schema: Parameter['schema'] = { type: 'string' },
): Parameter => ({
  ...{ name, in: 'query', description, schema },
})
const CURSOR = query('cursor', 'Opaque; holds the filters of the first page.')
const LIMIT = query('limit', 'Entries a page.', { type: 'integer', minimum: 1, maximum: 100 })
const DELETED = query('include_deleted', 'Revoked and withdrawn ones, too.', {
  ...{ type: 'string', enum: ['true', 'false', ''] },
})

const error = z
  .object({
    error: z.string(),
    code: z.string(),
    fields: z.array(z.string()).optional(),
    traceId: z.string(),
  })
  .meta({ id: 'McpError', description: 'As the MCP Registry has errors, with our stable code.' })
const REFUSED = ['Refused, for the reason that `code` says.', error] as const
const OTHERS = { 400: REFUSED, 404: REFUSED, 429: REFUSED, 503: REFUSED }
/** Of a registry that is closed to whoever has no token. */
const PROBLEMS = [401, 403] as const
const JSON_TYPE = 'application/json'

export const MCP_REGISTRY: readonly Fixed[] = [
  {
    path: '/v0.1/servers',
    summary: 'Servers, as MCP hosts and aggregators ask for them',
    query: [
      ...[CURSOR, LIMIT, DELETED],
      query('search', 'Part of a name, a title or a description.'),
      query('updated_since', 'RFC 3339.', { type: 'string' }),
      query('version', 'An exact one, or `latest`.'),
    ],
    answer: [JSON_TYPE, list],
    isDocument: true,
    others: OTHERS,
    problems: PROBLEMS,
  },
  {
    path: '/v0.1/servers/{server}/versions',
    summary: 'Versions of a server',
    query: [CURSOR, LIMIT, DELETED],
    answer: [JSON_TYPE, list],
    isDocument: true,
    others: OTHERS,
    problems: PROBLEMS,
  },
  {
    path: '/v0.1/servers/{server}/versions/{version}',
    summary: 'One version of a server; `latest` is one, too',
    query: [DELETED],
    answer: [JSON_TYPE, entry],
    isDocument: true,
    others: OTHERS,
    problems: PROBLEMS,
  },
  ...(['ping', 'health', 'version'] as const).map((word): Fixed => ({
    path: `/v0.1/${word}`,
    summary: `\`${word}\` of the MCP Registry's API`,
    answer: [JSON_TYPE, z.record(z.string(), z.unknown())],
    isDocument: true,
    others: OTHERS,
    problems: PROBLEMS,
  })),
]
