import { coveredItem, parseStrictJson, type ItemKind, type JsonObject, type Manifest } from 'countersign/core'
import type { Host, Review } from 'countersign'
import type { Publisher, World } from '../support/world.js'
import { serverNameOf, type Capture } from './servers.js'

/** The tools as the server sent them the first time: parsed from the lines it wrote, where those were kept. */
export function liveTools({ raw, tools, tool_pages: pages }: Capture): readonly JsonObject[] {
  if (raw === undefined) return tools
  return raw.tools_list.slice(0, pages).flatMap((line) => {
    const frame = parseStrictJson(line) as { result: { tools: JsonObject[] } }
    return frame.result.tools
  })
}

/** The whole surfaces of captured servers, each signed by whom its package belongs to, and approved. */
export function releaseCaptures(world: World, all: readonly Capture[]): void {
  const publishers = new Map<string, Publisher>()
  for (const capture of all) {
    const server = serverNameOf(capture.package)
    const namespace = server.split('/')[0] ?? ''
    const publisher = publishers.get(namespace) ?? world.enrol(namespace)
    publishers.set(namespace, publisher)
    world.release(publisher, { server, version: '1.0.0', ...surfaceOf(capture) })
  }
}

function surfaceOf(capture: Capture): Partial<Manifest> {
  const { instructions } = capture.initialize
  const items = (kind: ItemKind, all: readonly JsonObject[] = []) =>
    all.map((one) => ({ definition: coveredItem(kind, one) }))
  return {
    tools: capture.tools.map((tool) => ({ definition: coveredItem('tool', tool), permissions: [] })),
    prompts: items('prompt', capture.prompts),
    resourceTemplates: items('template', capture.resourceTemplates),
    ...(instructions && { instructions: { definition: { text: instructions } } }),
  }
}

/** What a host says of the server as it was captured, each in a slot of its own. */
export function reviewCapture(host: Host, capture: Capture): Promise<Review> {
  return host.review({
    slot: `npx ${capture.package}`,
    server: serverNameOf(capture.package),
    tools: liveTools(capture),
    prompts: capture.prompts ?? [],
    resourceTemplates: capture.resourceTemplates ?? [],
    instructions: capture.initialize.instructions || undefined,
  })
}
