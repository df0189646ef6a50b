import type { Command } from 'commander'
import { addAccess } from './commands/access.js'
import { addAccounts } from './commands/accounts.js'
import { addConsent } from './commands/consent.js'
import { addIdentity } from './commands/identity.js'
import { addLog } from './commands/log.js'
import { addMirror } from './commands/mirror.js'
import { addOwnership } from './commands/ownership.js'
import { addPolicy } from './commands/policy.js'
import { addPublishing } from './commands/publishing.js'
import { addReview } from './commands/review.js'
import { addRoots } from './commands/roots.js'
import { addRules } from './commands/rules.js'
import type { Handler, Lazy } from './commands/shared.js'
import { addUse } from './commands/use.js'
import { addWitness } from './commands/witness.js'
import type { Context, Input } from './context.js'

type ContextOf = (command: Command) => Context | Promise<Context>

/** Declares every command: names, arguments, help. No command's code is loaded here. */
export function addCommands(program: Command, contextOf: ContextOf): void {
  const lazy: Lazy = (load: () => Promise<Handler>) =>
    async function (this: Command): Promise<void> {
      const handler = await load()
      const args = this.processedArgs.flat().filter((arg): arg is string => typeof arg === 'string')
      await handler(await contextOf(this), { args, options: this.opts() } as Input as Input<never>)
    }
  addIdentity(program, lazy)
  addOwnership(program, lazy)
  addPublishing(program, lazy)
  const admin = program.command('admin').description('The reviewer’s and the admin’s work.')
  addReview(admin, lazy)
  addAccounts(admin, lazy)
  addAccess(admin, lazy)
  addRules(admin, lazy)
  addRoots(admin, lazy)
  addUse(program, lazy)
  addConsent(program, lazy)
  addPolicy(program, lazy)
  addLog(program, lazy)
  addMirror(program, lazy)
  addWitness(program, lazy)
}
