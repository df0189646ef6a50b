import { parseDigest } from 'countersign/core'
import { listServers, listToolVersions, lookup } from '../../publish/catalogue.js'
import * as answers from '../answers.js'
import { cursorTo, ok } from '../answers.js'
import { jsonBody } from '../body.js'
import { HttpProblem } from '../problems.js'
import type { Rooms } from '../rooms.js'
import type { AddRoute } from '../route.js'
import * as schemas from '../schemas.js'
import { newClient, resourceMetadata } from '../schemas/answers/accounts.js'
import * as shapes from '../schemas/answers/catalogue.js'
import { hostPolicy } from '../schemas/host-policy.js'

const NAMED = ['name-invalid', 'target-unknown'] as const

/** What anyone may read; owners and reviewers see what waits, too. And the one trade of the one-time password. */
export function addOpenRoutes(add: AddRoute, rooms: Rooms): void {
  addFirstRoutes(add, rooms)
  addServerRoutes(add, rooms)
  addDigestRoutes(add, rooms)
}

function addFirstRoutes(
  add: AddRoute,
  { context, auth, publicUrl, external, hostPolicy: policy }: Rooms,
): void {
  const metadata = {
    doc: { summary: 'Who gives tokens for this registry (RFC 9728)', answers: { 200: resourceMetadata } },
  }
  add('get', '/.well-known/oauth-protected-resource', metadata, () =>
    ok(answers.resourceMetadata(publicUrl, external)),
  )

  const bootstrap = {
    limit: 'bootstrap',
    secretAnswer: true,
    body: jsonBody(schemas.bootstrapBody),
    doc: {
      summary: "Trade the one-time password of the first start for an admin's client",
      answers: { 201: newClient },
      codes: ['credentials-invalid', 'locked', 'busy'],
    },
  } as const
  add('post', '/v1/bootstrap', bootstrap, async ({ body }) =>
    answers.showClient(context, body.account, await auth.bootstrap(body)),
  )

  const organisation = {
    doc: {
      summary: 'What the organisation of this registry asks of its hosts',
      description:
        'The configured file as it is: a note that the authorities of the trust root signed, which hosts apply that go by ' +
        'the policy of their registry; or a document that nobody signed, which is there to be read. 404 where there is none.',
      answers: { 200: hostPolicy },
      orNote: true,
      codes: ['not-found'],
    },
  } as const
  add('get', '/v1/host-policy', organisation, () => {
    if (policy === undefined) throw new HttpProblem('not-found', 'this registry has no policy for hosts')
    return { body: Buffer.from(policy.bytes), type: policy.type }
  })
}

function addServerRoutes(add: AddRoute, { context }: Rooms): void {
  const list = {
    query: schemas.serversQuery,
    doc: { summary: 'Servers with an approved version, by name', answers: { 200: shapes.serverList } },
  }
  add('get', '/v1/servers', list, async ({ query }) => {
    const { servers, next } = await listServers(context, { ...query, after: query.cursor })
    return ok({ servers, ...cursorTo(next) })
  })
  const server = {
    doc: { summary: 'A server with its versions', answers: { 200: shapes.serverVersions }, codes: NAMED },
  }
  add('get', '/v1/servers/:ns/:name', server, (call) => answers.showServer(context, call))
  add('get', '/v1/servers/:ns/:name/versions', server, (call) => answers.showServer(context, call))
  const version = {
    doc: { summary: 'One version with its tools', answers: { 200: shapes.version }, codes: NAMED },
  }
  add('get', '/v1/servers/:ns/:name/versions/:version', version, (call) => answers.showVersion(context, call))
}

function addDigestRoutes(add: AddRoute, { context }: Rooms): void {
  const manifest = {
    doc: {
      summary: 'A manifest: its envelope, and the document in it',
      answers: { 200: shapes.manifest },
      codes: ['digest-invalid', 'manifest-unknown'],
    },
  }
  add('get', '/v1/manifests/:digest', manifest, (call) => answers.showManifest(context, call))
  const holding = {
    query: schemas.toolQuery,
    doc: {
      summary: 'Which public versions hold a tool of exactly this definition',
      answers: { 200: shapes.toolVersions },
      codes: ['digest-invalid'],
    },
  }
  add('get', '/v1/tools/:digest', holding, async ({ params, query }) => {
    const tool = parseDigest(params('digest'))
    const { versions, next } = await listToolVersions(context, tool, { ...query, after: query.cursor })
    return ok({ tool, versions, ...cursorTo(next) })
  })
  const looking = {
    query: schemas.lookupQuery,
    doc: {
      summary: 'Which servers speak of a package or of a URL',
      description: 'Give `package` (such as `npm:NAME` or `npm:NAME@VERSION`) or `url`, not both.',
      answers: { 200: shapes.lookup },
    },
  }
  add('get', '/v1/lookup', looking, async ({ query }) => ok({ servers: await lookup(context, query) }))
}
