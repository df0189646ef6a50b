import type { Command } from 'commander'
import { examples, YES_OPTION, type Lazy } from './shared.js'

/** What hosts pin, in its next version. */
export function addRoots(admin: Command, lazy: Lazy): void {
  const root = admin.command('root').description('The trust root: what hosts pin.')
  root
    .command('publish <file>')
    .description('Logs the next version of the trust root, signed by enough of its keys (- for stdin).')
    .option('--force', 'also when the witnesses it names do not cosign the log yet')
    .option(...YES_OPTION)
    .addHelpText(
      'after',
      examples(
        'countersign-registry root propose --from newest.root --policy witnesses.policy --out next.root',
        'countersign-registry root sign next.root --key root-1.key',
        'countersign admin root publish next.root',
      ),
    )
    .action(lazy(async () => (await import('../admin/roots.js')).publishRoot))
  root
    .command('show')
    .description('Shows the newest trust root.')
    .action(lazy(async () => (await import('../admin/roots.js')).showRoot))
}
