import { CountersignError, digestOfText } from '../core/index.js'
import { EMPTY_SERVER_MEMORY } from '../memory.js'
import type { View } from '../resolve/view.js'
import type { Judged } from './accept.js'
import { judgeItems, split, withholdBad, type Judgements } from './items.js'
import type { LiveList } from './live.js'
import { makePin, openPin, type Pin } from './pin.js'
import { frame, type Review, type ReviewInput, type ReviewPorts } from './types.js'

/** PROTOCOL 13: nobody signed this server, and nobody ever did in this slot. */
export async function reviewUnknown(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  switch (ports.policy.unknownServers) {
    case 'block':
      throw new CountersignError('unknown-server', 'nobody signed this server', { step: 8 })
    case 'pass':
      return { ...split(passAll(live)), ...frame(view, ports), firstUse: false, verdict: 'unknown-server' }
    case 'pin':
      return reviewPinned(input, live, view, ports)
  }
}

/** As received, made plain and digested; nothing vouches for it. */
function passAll(live: LiveList): Judgements {
  const held = live.items.map((item): Judged => {
    const digest = digestOfText(item.text)
    return { item, match: { code: 'verified', digest, signed: item.text, dialect: false } }
  })
  return { held, withheld: withholdBad(live) }
}

async function reviewPinned(
  input: ReviewInput,
  live: LiveList,
  view: View,
  ports: ReviewPorts,
): Promise<Review> {
  const { pin, isNew } = await readPin(input.slot, live, ports)
  // Whether the pin holds anything of a kind tells a list that was never shown before from one that changed.
  const judged = judgeItems(pin.items, live, ports.facts, (item, one) =>
    one.code === 'verified' ? one : { code: one.code, detail: { pinned: pin.items[item.kind].size > 0 } },
  )
  return { ...split(judged), pin: true, ...frame(view, ports), firstUse: isNew, verdict: 'unknown-server' }
}

/** Two processes may see a server for the first time at once: the first pin stays. */
async function readPin(
  slot: string,
  live: LiveList,
  ports: ReviewPorts,
): Promise<{ pin: Pin; isNew: boolean }> {
  const key = { identity: ports.identity, server: '', slot }
  const signer = await ports.signer()
  const kept = (await ports.memory.readServer(key))?.pin
  if (kept !== undefined) return { pin: openPin(slot, kept, signer), isNew: false }
  const pin = makePin(slot, live, signer)
  const written = await ports.memory.updateServer(key, (old) =>
    old?.pin === undefined ? { ...(old ?? EMPTY_SERVER_MEMORY), pin: pin.envelope } : old,
  )
  const first = written?.pin ?? pin.envelope
  return first === pin.envelope ? { pin, isNew: true } : { pin: openPin(slot, first, signer), isNew: false }
}
