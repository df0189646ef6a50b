import { HOST_POLICY_FORMAT, isRegistryIdentity } from 'countersign/core'
import { z } from 'zod'

const reaction = z.enum(['silent', 'recorded', 'consent'])
const strictness = z.enum(['enforce', 'report', 'off'])
const seconds = z.int().min(1).max(31_536_000)
const prefix = z
  .string()
  .max(200)
  .regex(/^(?:\*|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?:\/[A-Za-z0-9._-]+)?)$/)

/** Names that differ only in case are one name. */
function isDistinct(registries: Readonly<Record<string, string>>): boolean {
  const prefixes = Object.keys(registries)
  return prefixes.length <= 256 && new Set(prefixes.map((one) => one.toLowerCase())).size === prefixes.length
}

/** What an organisation asks of its hosts (PROTOCOL 13), as hosts parse it: whatever is not known here is refused. */
export const hostPolicy = z
  .strictObject({
    format: z.literal(HOST_POLICY_FORMAT),
    mode: z.enum(['enforce', 'observe']).optional(),
    unknownServers: z.enum(['block', 'pin', 'pass']).optional(),
    managed: z.boolean().optional(),
    registries: z
      .record(prefix, z.string().max(128).refine(isRegistryIdentity))
      .refine(isDistinct)
      .optional()
      .meta({
        description:
          'Longest prefix of a server name to the registry that alone may speak for it; `*` for all others.',
      }),
    offlineMaxSeconds: seconds.optional(),
    refreshSeconds: seconds.optional(),
    maxSeconds: seconds.optional(),
    consent: z
      .strictObject({
        none: reaction.optional(),
        cosmetic: reaction.optional(),
        narrowed: reaction.optional(),
        text: reaction.optional(),
        widened: reaction.optional(),
        dangerous: z.enum(['recorded', 'consent']).optional(),
      })
      .optional()
      .meta({ description: 'What is done with a change of a class, where it is not what the table says.' }),
    scopes: strictness.optional(),
    arguments: strictness.optional(),
    results: strictness.optional(),
    uniqueToolNames: z.boolean().optional(),
    dynamicResources: z.enum(['pass', 'drop']).optional(),
    refusals: z.enum(['hide', 'explain']).optional(),
  })
  .meta({ id: 'HostPolicy' })
