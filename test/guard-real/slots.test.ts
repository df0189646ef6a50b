import type { JsonObject, Manifest } from 'countersign/core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { program } from '../support/programs.js'
import type { Peer } from './peer.js'
import { openSignedPlaces, type Place, type SignedPlaces } from './signed.js'
import { programOf } from './ten.js'

const FIGMA = {
  name: 'com.example/figma',
  command: [
    process.execPath,
    programOf('figma-developer-mcp'),
    '--stdio',
    '--no-telemetry',
    '--figma-api-key=none',
  ],
}
const SLOTS = {
  name: 'com.example/slots',
  command: program('../guard-real/slot-server.ts'),
}

let places: SignedPlaces
let here: Place
let there: Place
let figma: Manifest
let slots: Manifest

beforeAll(async () => {
  places = await openSignedPlaces()
  here = places.place('here', { host: 'build-07.example', os: 'linux' })
  there = places.place('there', {
    host: 'desk-of-a-user.example',
    os: 'darwin',
    shell: '/usr/local/bin/fish',
  })
  figma = await places.capture(FIGMA.name, FIGMA.command, here)
  // Which platform it is could be an ordinary word: that a person has to say.
  slots = await places.capture(SLOTS.name, SLOTS.command, here, '--slots', 'all')
})
afterAll(() => places.close())

type Tool = JsonObject & { name: string; description: string }

interface Opened {
  readonly tools: readonly Tool[]
  readonly peer: Peer
}

async function open(
  { name, command }: typeof FIGMA,
  at: Place,
  env: Readonly<Record<string, string>> = {},
): Promise<Opened> {
  const peer = places.guard(name, command, at, env)
  onTestFinished(async () => {
    await peer.close()
  })
  await peer.greet()
  const answer = await peer.request('tools/list')
  return { peer, tools: (answer['result'] as { tools: Tool[] }).tools }
}

function factsOf(manifest: Manifest): Record<string, readonly string[]> {
  return Object.fromEntries(
    manifest.tools.flatMap(({ definition, slots: own = [] }) => {
      const parts = own.flatMap((slot) =>
        slot.parts.flatMap((one) => (typeof one === 'string' ? [] : [one.fact])),
      )
      return parts.length === 0 ? [] : [[definition['name'] as string, parts]]
    }),
  )
}

describe('figma-developer-mcp, whose text holds the folder it runs in', () => {
  it('is captured with a slot there', () => {
    expect(factsOf(figma)).toEqual({ download_figma_images: ['cwd'] })
  })

  it.each(['here', 'there'] as const)('passes whole %s, and says the folder of that place', async (name) => {
    const place = { here, there }[name]
    const { tools } = await open(FIGMA, place)
    expect(tools).toHaveLength(figma.tools.length)
    const text = tools.find((tool) => tool.name === 'download_figma_images')?.description
    expect(text?.endsWith(place.folder)).toBe(true)
  })

  it('is withheld where it says another folder than the one it runs in', async () => {
    const lie =
      'const cwd = process.cwd(); process.cwd = () => process.argv[1].endsWith("bin.js") ? "/ask/for/the/password" : cwd'
    const preload = `data:text/javascript,${encodeURIComponent(lie)}`
    const { tools, peer } = await open(FIGMA, here, {
      NODE_OPTIONS: `${here.env['NODE_OPTIONS']} --import=${preload}`,
    })
    expect(tools.map((tool) => tool.name)).toEqual(['get_figma_data'])
    // It comes by another pipe than the answer.
    await expect.poll(() => peer.complaint).toContain('slot-mismatch')
    expect(JSON.stringify(peer.heard)).not.toContain('ask/for/the/password')
  })
})

describe('a server with the slots seen in the wild', () => {
  it('is captured with a slot for each', () => {
    expect(factsOf(slots)).toEqual({
      list_runs: ['time-ms'],
      start_process: ['hostname', 'os', 'shell'],
      download_images: ['home', 'cwd'],
    })
  })

  it.each(['here', 'there'] as const)('passes whole %s, with the facts of that place', async (name) => {
    const place = { here, there }[name]
    const { PLACE_HOST: host = '', PLACE_OS: os = '', SHELL: shell = '', HOME: home = '' } = place.env
    const { tools, peer } = await open(SLOTS, place)
    expect(tools).toHaveLength(slots.tools.length)
    const text = JSON.stringify(tools)
    for (const fact of [host, `runs ${os}`, shell, home, `directory: ${place.folder}`])
      expect(text).toContain(fact)
    const call = await peer.request('tools/call', { name: 'start_process', arguments: {} })
    expect(call).toMatchObject({ result: { content: [{ text: 'start_process' }] } })
  })

  it.each([
    ['hostname', 'start_process'],
    ['os', 'start_process'],
    ['shell', 'start_process'],
    ['cwd', 'download_images'],
    ['home', 'download_images'],
    ['time-ms', 'list_runs'],
  ])('has what lies about %s withheld, and nothing else', async (fact, tool) => {
    const { tools, peer } = await open(SLOTS, there, { LIE_ABOUT: fact })
    const honest = slots.tools.map(({ definition }) => definition['name']).filter((name) => name !== tool)
    expect(tools.map(({ name }) => name)).toEqual(honest)
    // It comes by another pipe than the answer.
    await expect.poll(() => peer.complaint).toContain('slot-mismatch')
    expect(JSON.stringify(peer.heard)).not.toContain('Send every file')
    const call = await peer.request('tools/call', { name: tool, arguments: {} })
    expect(call).toMatchObject({ error: { code: -32602 } })
  })
})
