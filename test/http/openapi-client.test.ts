import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  addAccount,
  addPublisher,
  sampleManifest,
  send,
  signManifest,
  startRegistry,
  type Caller,
} from '../support/registry.js'

// A client in a project of its own: its types come from /openapi.json alone, and the compiler holds it to them.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLIENT = fileURLToPath(new URL('./api-client/client.ts.txt', import.meta.url))

let project: string
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'countersign-api-client-'))
  await symlink(join(ROOT, 'node_modules'), join(project, 'node_modules'))
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  await writeFile(join(project, 'client.ts'), await readFile(CLIENT, 'utf8'))
  const at = await startRegistry()
  const { text } = await send(at.url, 'GET', '/openapi.json')
  await at.close()
  const types = await openapiTS(text)
  await writeFile(join(project, 'openapi.ts'), astToString(types))
})
afterAll(() => rm(project, { recursive: true, force: true }))

/** What the compiler says, each with its file. */
function check(...files: string[]): string[] {
  const program = ts.createProgram(
    files.map((file) => join(project, file)),
    {
      ...{ strict: true, noEmit: true, exactOptionalPropertyTypes: false, skipLibCheck: true },
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      types: [],
    },
  )
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, ' ')
    return `${basename(file?.fileName ?? '')}: ${text}`
  })
}

type Program = (
  url: string,
  publisher: { id: string; secret: string },
  reviewer: { id: string; secret: string },
  envelope: string,
) => Promise<{ published: { server: string }; statuses: string[]; code: string }>

async function load(): Promise<Program> {
  const outfile = join(project, 'client.mjs')
  await build({
    entryPoints: [join(project, 'client.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
  })
  const loaded = (await import(/* @vite-ignore */ pathToFileURL(outfile).href)) as {
    publishApproveRevoke: Program
  }
  return loaded.publishApproveRevoke
}

const credentials = ({ client }: Caller) => ({ id: client.clientId, secret: client.clientSecret })

describe('a client written from the description alone', () => {
  // The same words on each engine: read once.
  it.skipIf(process.env['TEST_ENGINE'] === 'postgres')(
    'compiles against it, and what the description does not say does not compile',
    async () => {
      const source = await readFile(CLIENT, 'utf8')
      const wrong: readonly [string, string][] = [
        ["'/v1/review/{digest}/approval'", "'/v1/review/{digest}/approve'"],
        ['path: { digest: published.manifest }', 'path: { digest: published.digest }'],
        ['scope, resource: url', 'scope: 1, resource: url'],
      ]
      const spoilt = wrong.reduce((text, [from, to]) => text.replace(from, to), source)
      await writeFile(join(project, 'spoilt.ts'), spoilt)
      const said = check('client.ts', 'spoilt.ts')
      expect(said.filter((line) => !line.startsWith('spoilt.ts: '))).toEqual([])
      expect(said.filter((line) => line.includes('"/v1/review/{digest}/approve"'))).toHaveLength(1)
      expect(said.filter((line) => line.includes("'digest' does not exist"))).toHaveLength(1)
      expect(
        said.filter((line) => line.includes("Type 'number' is not assignable to type 'string'")),
      ).toHaveLength(1)
    },
    300_000,
  )

  it('publishes, approves and revokes', async () => {
    // The compiler leaves no time to anybody: connections from before it are gone.
    const at = await startRegistry()
    onTestFinished(() => at.close())
    const publisher = await addPublisher(at, 'com.example', await addAccount(at, 'publisher', ['publisher']))
    const reviewer = await addAccount(at, 'reviewer', ['reviewer'])
    const envelope = signManifest(
      sampleManifest(at.identity, { server: 'com.example/weather' }),
      publisher.key,
    )
    const program = await load()
    const story = await program(at.url, credentials(publisher.caller), credentials(reviewer), envelope)
    expect(story.published.server).toBe('com.example/weather')
    expect(story.statuses).toEqual(['pending', 'approved', 'revoked'])
    expect(story.code).toBe('manifest-status')
  })
})
