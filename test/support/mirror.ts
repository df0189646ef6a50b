import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openHost, type Host } from '../../client/src/host.js'
import { memoryInProcess, type Memory } from '../../client/src/memory.js'
import { registryApi } from '../../client/src/registry-api.js'
import { pinTrust, type Trust } from '../../client/src/trust.js'
import { openFolder, type Folder } from '../../client/src/mirror/folder.js'
import { mirrorOnce, type MirrorReport } from '../../client/src/mirror/mirror.js'
import type { MirrorPorts } from '../../client/src/mirror/ports.js'
import { openRegistryApi, openRegistryReader } from '../../client/src/node/registry-files.js'
import { PATIENT_MS } from './ledger.js'
import type { TestRegistry } from './registry.js'

/** A mirror of a registry in a folder of its own, run when a test says so. */
export interface TestMirror {
  readonly out: string
  /** `file:///…` */
  readonly url: string
  readonly trust: Trust
  /** What the last run asked the registry for. */
  readonly asked: readonly string[]
  run(change?: Partial<MirrorPorts>): Promise<MirrorReport>
  /** A host that knows nothing but the mirror and the pinned root. */
  host(options?: HostChange): Promise<Host>
  files(): string[]
  close(): void
}

export interface HostChange {
  readonly memory?: Memory
  readonly url?: string
  readonly now?: () => number
}

export async function openTestMirror(
  registry: Pick<TestRegistry, 'url' | 'fingerprint'>,
): Promise<TestMirror> {
  const out = mkdtempSync(join(tmpdir(), 'countersign-mirror-'))
  const { trust } = await pinTrust(registryApi(registry.url), registry)
  const url = pathToFileURL(out).href
  const asked: string[] = []
  const memory = memoryInProcess()
  return {
    out,
    url,
    trust,
    asked,
    async run(change = {}) {
      asked.length = 0
      const counted: typeof fetch = (input, init) => {
        asked.push(new URL(input instanceof Request ? input.url : input).pathname)
        return fetch(input, init)
      }
      const from = change.api === undefined ? registry.url : ''
      const ports: MirrorPorts = {
        api: openRegistryApi(from || url, { fetch: counted, timeoutMs: PATIENT_MS }),
        read: openRegistryReader(from || url, { fetch: counted, timeoutMs: PATIENT_MS }),
        folder: await openFolder(out),
        trust,
        memory,
        servers: 'all',
        now: () => Date.now(),
        assertHeld: () => Promise.resolve(),
        progress: () => undefined,
        ...change,
      }
      return mirrorOnce(ports, registry.url)
    },
    host: (change = {}) =>
      openHost({
        registry: openRegistryApi(change.url ?? url, { timeoutMs: PATIENT_MS }),
        trust,
        memory: change.memory ?? memoryInProcess(),
        ...(change.now !== undefined && { now: change.now }),
      }),
    files: () => listFiles(out),
    close: () => rmSync(out, { recursive: true, force: true }),
  }
}

/** Every document of a mirror, without what the mirror keeps for itself. */
export function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('.mirror.'))
    .sort()
}

/** A folder whose writes end after so many: as a process that is killed, or a disk that is full. */
export function failingFolder(
  folder: Folder,
  after: number,
  error: () => Error,
): Folder & { steps(): number } {
  let steps = 0
  const step = (): void => {
    if (++steps > after) throw error()
  }
  const failing: Folder & { steps(): number } = {
    ...folder,
    steps: () => steps,
    async draft(path, bytes) {
      step()
      const draft = await folder.draft(path, bytes)
      return {
        path,
        install: async () => {
          step()
          await draft.install()
        },
      }
    },
    async write(path, bytes) {
      const old = await folder.read(path, bytes.length).catch(() => undefined)
      if (old === undefined || Buffer.compare(old, bytes) !== 0) {
        await (await failing.draft(path, bytes)).install()
      }
    },
    async remove(path) {
      step()
      await folder.remove(path)
    },
    async replaceFolder(from, to) {
      step()
      await folder.replaceFolder(from, to)
    },
  }
  return failing
}

export interface WebServer {
  readonly url: string
  close(): void
}

export async function serve(listener: RequestListener): Promise<WebServer> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close().closeAllConnections() }
}

/** The plainest web server: files by their path, queries ignored, one wrong content type for all; `folders` as it does them. */
export function serveFolder(
  folder: string,
  folders: 'missing' | 'redirect' | 'page' | 'refused' = 'missing',
) {
  return serve((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x')
    const file = join(folder, decodeURIComponent(pathname))
    const answer = async (): Promise<void> => {
      const found = await stat(file).catch(() => undefined)
      // It may have been replaced since.
      const bytes = found?.isFile() === true ? await readFile(file).catch(() => undefined) : undefined
      if (request.method !== 'GET') response.writeHead(405).end()
      else if (bytes !== undefined) response.writeHead(200, { 'content-type': 'image/png' }).end(bytes)
      else if (found?.isDirectory() === true && folders === 'redirect')
        response.writeHead(301, { location: `${pathname}/` }).end()
      else if (found?.isDirectory() === true && folders === 'page')
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Index</h1>')
      else response.writeHead(folders === 'refused' && found !== undefined ? 403 : 404).end('no such file')
    }
    void answer()
  })
}
