import type { Rooms } from '../rooms.js'
import type { AddRoute } from '../route.js'

export function addRootRoutes(add: AddRoute, rooms: Rooms): void {
  void add
  void rooms
}
