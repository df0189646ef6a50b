import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openNote, parseVerifierKey } from 'countersign/core'
import { readJson, vectors } from '../support/shared.js'
import { openWitness, type RunningWitness } from '../../client/src/witness/index.js'
import { tempFolder } from './support.js'

interface Sequence {
  readonly logVkey: string
  readonly witnessName: string
  readonly requests: readonly { name: string; body: string; status: number; bodyContains: string }[]
}

const file = vectors('FiloSottile+sunlight/add-checkpoint-sequence.json')

describe.skipIf(!file)('the public sequence of add-checkpoint requests', () => {
  const { logVkey, witnessName, requests } = (
    file ? readJson(file) : { logVkey: '', witnessName: '', requests: [] }
  ) as Sequence
  const folder = tempFolder()
  let witness: RunningWitness
  beforeAll(async () => {
    witness = await openWitness({ key: folder.path('witness.key'), name: witnessName, logs: [logVkey] })
  })
  afterAll(async () => {
    await witness.close()
    folder.remove()
  })

  it('is all there', () => {
    expect(requests).toHaveLength(11)
  })

  it.each(requests)('$name: $status', async ({ body, status, bodyContains }) => {
    const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body })
    const text = await response.text()
    expect(response.status).toBe(status)
    expect(text).toContain(bodyContains)
    const isSize = response.headers.get('content-type') === 'text/x.tlog.size'
    expect(isSize).toBe(status === 409)
    if (status === 200) {
      const note = body.slice(body.indexOf('\n\n') + 2) + text
      const { verified } = openNote(note, [parseVerifierKey(witness.vkey), parseVerifierKey(logVkey)])
      expect(verified.map(({ key }) => key.type)).toEqual([1, 4])
    }
  })
})
