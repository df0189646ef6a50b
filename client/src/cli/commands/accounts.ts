import type { Command } from 'commander'
import { examples, YES_OPTION, type Lazy } from './shared.js'

/** Who there is: people and services. An account is named by its id or its login. */
export function addAccounts(admin: Command, lazy: Lazy): void {
  const accounts = admin.command('accounts').description('People and services, and their roles.')
  accounts
    .command('list')
    .description('Lists every account.')
    .action(lazy(async () => (await import('../admin/accounts.js')).listAccounts))
  accounts
    .command('show <account>')
    .description('Shows one account.')
    .action(lazy(async () => (await import('../admin/accounts.js')).showAccount))
  accounts
    .command('invite <role...>')
    .summary('invite a person')
    .description(
      'Makes an invitation with these roles: publisher, reviewer, admin, auditor. Hand its code over yourself; it works ' +
        'once and for seven days.',
    )
    .addHelpText('after', examples('countersign admin accounts invite publisher reviewer'))
    .action(lazy(async () => (await import('../admin/accounts.js')).invite))
  accounts
    .command('create <name>')
    .summary('make an account for a service')
    .description('Makes an account for a service; `admin client create --account NAME` gives it a login.')
    .requiredOption('--role <role...>', 'publisher, reviewer, admin, auditor')
    .option('--owner <account>', 'the person who answers for it (default: you)')
    .action(lazy(async () => (await import('../admin/accounts.js')).createAccount))
  accounts
    .command('roles <account> [role...]')
    .summary('set roles')
    .description('Sets the roles of an account to exactly these; with none it may do nothing.')
    .addHelpText('after', examples('countersign admin accounts roles u-abcd2345efgh6723 publisher reviewer'))
    .action(lazy(async () => (await import('../admin/accounts.js')).setRoles))
  addStates(accounts, lazy)
}

function addStates(accounts: Command, lazy: Lazy): void {
  accounts
    .command('disable <account>')
    .description('Ends an account’s logins and refuses its tokens at once.')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../admin/accounts.js')).disableAccount))
  accounts
    .command('enable <account>')
    .description('Takes that back.')
    .action(lazy(async () => (await import('../admin/accounts.js')).enableAccount))
  accounts
    .command('sign-out <account>')
    .description('Ends every login of an account; it may log in again.')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../admin/accounts.js')).signOutAccount))
  accounts
    .command('recover <account>')
    .summary('let a person choose a new password')
    .description('Makes a code with which its person chooses a new password. Hand it over yourself.')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../admin/accounts.js')).recoverAccount))
}
