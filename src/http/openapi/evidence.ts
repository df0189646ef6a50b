import * as shapes from '../schemas/answers/static.js'
import { document } from '../schemas/answers/catalogue.js'
import type { Fixed } from './fixed.js'
import type { Parameter } from './types.js'

const JSON_TYPE = 'application/json'
const NOTE = 'text/plain'
const TILE = 'application/octet-stream'

const whole = (name: string, description: string): Parameter => ({
  ...{ name, in: 'query', required: true, description, schema: { type: 'integer', minimum: 1 } },
})

/** Documents that never change, and the few that move; hosts believe nothing of them before they verify it. */
const READS = [
  ['/v1/status', 'What is current: checkpoint, snapshot, denials', [JSON_TYPE, shapes.status]],
  ['/v1/bundles/{digest}', 'The evidence for one manifest', [JSON_TYPE, shapes.bundle]],
  [
    '/v1/servers/{ns}/{name}/versions/{version}/bundle',
    'The evidence for one version',
    [JSON_TYPE, shapes.bundle],
  ],
  ['/v1/revocations/{root}', 'The revocation list with this root, a line each', [NOTE]],
  ['/v1/policies/{digest}', 'An admission policy, as approve events name it', [JSON_TYPE, document]],
  ['/v1/root/latest', 'The newest version of the trust root', [NOTE]],
  ['/v1/root/{n}', 'One version of the trust root', [NOTE]],
  ['/log/checkpoint', 'The published checkpoint (C2SP tlog-tiles)', [NOTE]],
  ['/log/checkpoint.committed', 'The newest checkpoint that the log signed: good for denying alone', [NOTE]],
  ['/log/tile/{tile}', 'A tile of the log', [TILE]],
  ['/log/{number}/checkpoint', 'The last checkpoint of a frozen log', [NOTE]],
  ['/log/{number}/tile/{tile}', 'A tile of a frozen log', [TILE]],
] as const satisfies readonly (readonly [path: string, summary: string, answer: Fixed['answer']])[]

const CONSISTENCY: Fixed = {
  path: '/v1/consistency',
  summary: 'That one published tree is the beginning of another one',
  query: [
    whole('from', 'Size of the smaller tree.'),
    whole('to', 'Size of the larger one; at most the published size.'),
    { name: 'log', in: 'query', description: 'Origin of a frozen log.', schema: { type: 'string' } },
  ],
  answer: [JSON_TYPE, shapes.consistency],
  isDocument: true,
  problems: [400, 401, 403, 503],
}

const EVENTS: Fixed = {
  path: '/v1/events',
  summary: 'What is published, as server-sent events',
  description:
    'In log order, none twice and none left out. `id` is the place in the log: come again with Last-Event-ID, or ' +
    'with `after`. `event` is the type, `data` one JSON line (PublicEvent). A comment comes every 15 seconds.',
  query: [
    { name: 'namespace', in: 'query', description: 'Of this namespace alone.', schema: { type: 'string' } },
    {
      ...{ name: 'types', in: 'query', schema: { type: 'string' } },
      description: 'Types of events, with commas between.',
    },
    {
      ...{ name: 'after', in: 'query', schema: { type: 'integer', minimum: 0 } },
      description: 'What stands after this place in the log.',
    },
  ],
  headers: [
    {
      ...{ name: 'Last-Event-ID', in: 'header', schema: { type: 'string', pattern: '^[0-9]{1,16}$' } },
      description: 'Of the last event that was seen; wins over `after`.',
    },
  ],
  answer: ['text/event-stream'],
  problems: [400, 401, 403, 429, 503],
}

export const EVIDENCE: readonly Fixed[] = [
  ...READS.map(([path, summary, answer]): Fixed => ({
    ...{ path, summary, answer, isDocument: true },
    problems: [400, 401, 403, 404, 503],
  })),
  CONSISTENCY,
  EVENTS,
]
