import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatManifest, type Manifest } from 'countersign/core'
import { openSeat, type Seat } from '../support/cli-inside.js'
import { newKey, sampleManifest, signManifest } from '../support/registry.js'

// Versions in a registry are compared in organisation.test.ts.

let seat: Seat
beforeAll(() => {
  seat = openSeat()
})
afterAll(() => seat.close())

const first = sampleManifest('registry-test', { server: 'com.example/weather' })

function file(name: string, manifest: Manifest): string {
  const path = join(seat.home, name)
  writeFileSync(path, formatManifest(manifest))
  return path
}

function described(description: string): Manifest {
  const [tool] = first.tools
  return {
    ...first,
    version: '1.1.0',
    tools: [{ ...tool!, definition: { ...tool!.definition, description } }],
  }
}

it('says that nothing changed', async () => {
  const same = await seat.ok('diff', file('a.json', first), file('b.json', { ...first, version: '1.0.1' }))
  expect(same).toMatchObject({ class: 'none', changes: [] })
})

it('says what changed and what it means, in words and as a document', async () => {
  const [a, b] = [file('a.json', first), file('b.json', described('Returns the weather of a city.'))]
  const said = await seat.ok('diff', a, b)
  expect(said).toMatchObject({ class: 'text', changes: [{ class: 'text', item: 'tool get_forecast' }] })
  const shown = (await seat.run('diff', a, b)).stdout
  expect(shown).toContain('tool get_forecast')
  expect(shown).toMatch(/- .*Returns the forecast/)
  expect(shown).toMatch(/\+ .*Returns the weather/)
})

it('makes visible what is hidden in a change', async () => {
  const hidden = described('Returns\u200b the \u202eforecast\u202c.\u001b[2J\nerror fake line')
  const shown = await seat.run('diff', file('a.json', first), file('c.json', hidden))
  expect(shown.stdout).toContain('dangerous')
  expect(shown.stdout).toContain('\\u{200B}')
  expect(shown.stdout).not.toMatch(/[\u200b\u202c\u202e]/)
  expect(shown.stdout).not.toContain('\u001b')
  expect(shown.stdout).not.toMatch(/^error fake line/m)
})

it('compares an envelope as well', async () => {
  const envelope = join(seat.home, 'a.jws')
  writeFileSync(envelope, signManifest(first, newKey()))
  expect(await seat.ok('diff', envelope, file('a.json', first))).toMatchObject({ class: 'none' })
})

it('refuses what is neither', async () => {
  writeFileSync(join(seat.home, 'odd.json'), '{"format":"other"}')
  expect((await seat.fails('diff', join(seat.home, 'odd.json'), file('a.json', first))).exit).toBe(1)
})
