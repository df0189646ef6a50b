import type { Question, Side } from '../consent/types.js'
import type { HostEvent } from '../review/events.js'
import type { ChangeRecord, ConsentRecord, RecordHead, ShadowRecord } from './record.js'
import { cut, recordDetail } from './redact.js'

const MAX_ITEMS = 40
const MAX_LABEL = 128

/** What of a host's own events is recorded: what a person was asked and said, what changed, whose names meet. */
export function hostRecord(
  event: HostEvent,
  headOf: (slot: string) => RecordHead,
): ConsentRecord | ChangeRecord | ShadowRecord | undefined {
  switch (event.type) {
    case 'asked':
      return consentRecord(headOf(event.slot), event.question, 'asked')
    case 'consented':
      return consentRecord(headOf(event.slot), event.question, event.decision)
    case 'changed':
      return changeRecord(headOf(event.slot), event)
    case 'shadowed':
      return {
        ...headOf(event.slot),
        kind: 'shadow',
        name: cut(event.name),
        detail: recordDetail(event.detail, false),
      }
    default:
      return undefined
  }
}

function consentRecord(
  head: RecordHead,
  { id, reason, server, from, to, items, class: weight }: Question,
  decision: ConsentRecord['decision'],
): ConsentRecord {
  return {
    ...head,
    ...(server !== '' && { server: cut(server) }),
    kind: 'consent',
    decision,
    question: id,
    reason,
    class: weight,
    items: items.slice(0, MAX_ITEMS).map((item) => cut(item, MAX_LABEL)),
    ...(from && { from: sideOf(from) }),
    to: sideOf(to),
  }
}

function changeRecord(
  head: RecordHead,
  event: Extract<HostEvent, { readonly type: 'changed' }>,
): ChangeRecord {
  const { server, reaction, reason, counts, from, to, class: weight } = event
  return {
    ...head,
    ...(server !== '' && { server: cut(server) }),
    version: to.version,
    manifest: to.manifest,
    kind: 'change',
    decision: reaction,
    reason,
    class: weight,
    counts,
    from: sideOf(from),
    to: sideOf(to),
  }
}

function sideOf({ version, manifest, server, kid, variant }: Side): Side {
  return {
    version: cut(version),
    manifest,
    ...(server !== undefined && { server: cut(server) }),
    ...(kid !== undefined && { kid }),
    ...(variant !== undefined && { variant: cut(variant) }),
  }
}
