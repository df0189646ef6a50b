import { isRegistryIdentity } from 'countersign/core'
import { z } from 'zod'

/** What an organisation asks of its hosts (PROTOCOL 13), as hosts parse it: whatever is not known here is refused. */
export const hostPolicy = z
  .strictObject({
    format: z.literal('countersign/host-policy/v1'),
    mode: z.enum(['enforce', 'observe']).optional(),
    unknownServers: z.enum(['block', 'pin', 'pass']).optional(),
    managed: z.boolean().optional(),
    registries: z
      .record(z.string().min(1).max(200), z.string().max(128).refine(isRegistryIdentity))
      .optional()
      .meta({ description: 'Longest prefix of a server name to the registry that alone may speak for it.' }),
    offlineMaxSeconds: z.int().min(1).optional(),
  })
  .meta({ id: 'HostPolicy' })
