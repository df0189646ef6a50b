import type { Command } from 'commander'
import { examples, PASSPHRASE_OPTION, YES_OPTION, type Lazy } from './shared.js'

const APPROVER_KEY = ['--key <file>', 'sign as one of the approvers that the trust root names'] as const

/** The reviewer’s work: what waits, and what becomes of it. */
export function addReview(admin: Command, lazy: Lazy): void {
  admin
    .command('pending')
    .description('Lists what waits for a decision.')
    .option('--status <status>', 'approved, rejected, withdrawn, deprecated or revoked instead', 'pending')
    .action(lazy(async () => (await import('../admin/pending.js')).pending))
  admin
    .command('show <version>')
    .description(
      'Shows exactly what the model would see, hidden characters made visible, and what changed since the last ' +
        'approved version. NAME, NAME@VERSION or a digest.',
    )
    .option('--changes', 'only what changed')
    .action(lazy(async () => (await import('../admin/show.js')).showManifest))
  admin
    .command('approve <version>')
    .description('Approves exactly this manifest: a vote, and the approval once the policy has its votes.')
    .option('--override <reason>', 'approve although findings hold it, and say why')
    .option('--comment <text>', 'for the audit trail')
    .option(...APPROVER_KEY)
    .option(...PASSPHRASE_OPTION)
    .addHelpText(
      'after',
      examples(
        'countersign admin approve com.example/weather@1.4.0',
        'countersign admin approve com.example/weather@1.4.0 --key approver.pem',
      ),
    )
    .action(lazy(async () => (await import('../admin/approve.js')).approve))
  admin
    .command('reject <version>')
    .description('Rejects a manifest.')
    .requiredOption('--reason <text>', 'why; it is logged in public')
    .action(lazy(async () => (await import('../admin/decide.js')).reject))
  admin
    .command('comment <version> <text>')
    .description('Says something to the other reviewers and the publisher.')
    .action(lazy(async () => (await import('../admin/decide.js')).comment))
  addUndoing(admin, lazy)
  admin
    .command('audit')
    .description('Lists who did what, newest first, with log indexes.')
    .option('--account <account>', 'only what this account did')
    .option('--action <action>', 'only this, such as approve, key.add or login.failed')
    .option('--target <target>', 'only about this')
    .option('--limit <count>', 'how many', '50')
    .addHelpText('after', examples('countersign admin audit --action account.roles --limit 200'))
    .action(lazy(async () => (await import('../admin/audit.js')).audit))
}

/** One person pulls something back at once; two put it back. */
function addUndoing(admin: Command, lazy: Lazy): void {
  const target = (command: Command): Command =>
    command
      .requiredOption('--reason <text>', 'why; it is logged in public')
      .option('--server', 'the server as a whole: WHAT is its NAME')
      .option('--tool', 'one tool wherever it stands: WHAT is its digest')
      .option(
        '--after <index>',
        'the latest decision about it that you know (default: the latest one, where it is shown)',
      )
  target(admin.command('revoke <what>'))
    .description('Revokes an approved manifest: hosts refuse it within the freshness bound.')
    .option(...YES_OPTION)
    .addHelpText(
      'after',
      examples(
        'countersign admin revoke com.example/weather@1.4.0 --reason "sends mail to strangers"',
        'countersign admin revoke com.example/weather --server --reason "the account was stolen"',
      ),
    )
    .action(lazy(async () => (await import('../admin/undo.js')).revoke))
  target(admin.command('reinstate <what>'))
    .description('Takes a revocation back; it needs two persons.')
    .option(...APPROVER_KEY)
    .option(...PASSPHRASE_OPTION)
    .addHelpText(
      'after',
      examples('countersign admin reinstate com.example/weather@1.4.0 --reason "was a false alarm"'),
    )
    .action(lazy(async () => (await import('../admin/undo.js')).reinstate))
}
