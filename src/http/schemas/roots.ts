import { z } from 'zod'

/** `force=true`: also when the witnesses that the new root names do not cosign the current tree. */
export const publishRootQuery = z.strictObject({ force: z.enum(['true', 'false']).optional() })
