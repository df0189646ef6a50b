import { z } from 'zod'
import { ROLES } from '../../auth/scopes.js'
import type { Role } from '../../storage/store.js'
import { cursor } from '../schemas.js'

// Shapes only; what a name, a key or a redirect URI must be is decided in the room.

const name = z.string().min(1).max(64)
const role = z.enum(ROLES as [Role, ...Role[]])
const someRoles = z.array(role).min(1).max(4)

export const rolesBody = z.strictObject({ roles: z.array(role).max(4) })
export const invitationBody = z.strictObject({ roles: someRoles })
export const serviceBody = z.strictObject({ name, roles: someRoles, owner: name.optional() })
export const clientBody = z.strictObject({
  name,
  account: name.optional(),
  roles: someRoles,
  auth: z.enum(['secret', 'key', 'public']).optional(),
  jwks: z.record(z.string(), z.unknown()).optional(),
  redirectUris: z.array(z.string().min(1).max(512)).max(10).optional(),
})

const page = {
  cursor: cursor(z.string().max(96)),
  limit: z.coerce.number().int().min(1).max(100).default(50),
}
export const accountsQuery = z.strictObject(page)
export const clientsQuery = z.strictObject({ account: name.optional(), ...page })
