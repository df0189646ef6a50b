import { z } from 'zod'
import { digest, index } from './common.js'

// Documents that hosts verify: what they prove is in PROTOCOL, not here.

const hash = z.base64().length(44).meta({ id: 'Hash', description: 'Base64 of 32 bytes.' })
const proof = z.array(hash).max(63)
const snapshot = z.object({ event: z.string(), proof })
const note = z.string().meta({ description: 'A signed note (C2SP) with its cosignatures.' })

export const status = z
  .object({
    format: z.literal('countersign/status/v1'),
    registry: z.string(),
    checkpoint: note,
    snapshot,
    denials: z.object({ checkpoint: note, snapshot }).optional(),
  })
  .meta({ id: 'Status', description: 'What is current (PROTOCOL 9).' })

export const bundle = z
  .object({
    format: z.literal('countersign/bundle/v1'),
    registry: z.string(),
    envelope: z.string(),
    checkpoint: note,
    events: z.array(
      z.object({ log: z.string().optional(), index: z.int().min(0), event: z.string(), proof }),
    ),
  })
  .meta({ id: 'Bundle', description: 'The static evidence for one version (PROTOCOL 9).' })

export const consistency = z
  .object({ log: z.string().optional(), from: z.int().min(1), to: z.int().min(1), proof })
  .meta({ id: 'Consistency' })

export const publicEvent = z
  .object({
    index,
    type: z.string(),
    target: z.enum(['manifest', 'tool', 'server']).optional(),
    manifest: digest.optional(),
    tool: digest.optional(),
    server: z.string().optional(),
    namespace: z.string().optional(),
    reason: z.string().optional(),
  })
  .meta({ id: 'PublicEvent', description: 'The `data` of one server-sent event.' })
