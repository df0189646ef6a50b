export { guardTransport } from './guard.js'
export type { GuardOptions, Reviewer } from './options.js'
export type { DropReason, GuardEvent, GuardListener, ListKind } from './events.js'
export type { GuardedTransport, InnerTransport } from './transport.js'
