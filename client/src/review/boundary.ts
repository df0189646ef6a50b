import type { Answer, Side } from '../consent/types.js'
import type { Digest } from '../core/index.js'
import type { Boundary } from '../resolve/boundary.js'
import { askPerson } from './asking.js'
import { compareWith } from './compared.js'
import type { ReviewInput, ReviewPorts } from './types.js'

/** Asks about a step that no floor, key or server explains: exactly this manifest, signed by exactly this key. */
export async function askAboutBoundary(
  { slot }: ReviewInput,
  { reason, from, to }: Boundary,
  ports: ReviewPorts,
): Promise<{ readonly answer: Answer; readonly id: Digest }> {
  const { server, digest, manifest } = to
  const { comparison } = await compareWith(from.manifest, manifest, digest, ports)
  // Another server in the slot is a question about the slot; whatever it knows of that server may be empty.
  const key = { identity: ports.identity, server: reason === 'other-server' ? '' : server, slot }
  const about = { reason, server, slot, from, to: sideOf(reason, to) }
  const draft = { ...about, class: comparison.class, items: [] }
  const { question, answer } = await askPerson(ports, key, draft, { after: manifest })
  return { answer, id: question.id }
}

function sideOf(reason: Boundary['reason'], to: Boundary['to']): Side {
  const { version, digest: manifest, kid, server } = to
  return { version, manifest, kid, ...(reason === 'other-server' && { server }) }
}
