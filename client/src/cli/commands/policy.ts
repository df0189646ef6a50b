import type { Command } from 'commander'
import { examples, PASSPHRASE_OPTION, type Lazy } from './shared.js'

/** What hosts do with what they find. */
export function addPolicy(program: Command, lazy: Lazy): void {
  const policy = program.command('policy').description('What hosts do with what they find.')
  policy
    .command('show [file]')
    .summary('what a policy says')
    .description(
      'Shows what a policy file says, with everything it leaves to the defaults; without a file, what the registry serves, ' +
        'whether its authorities signed that, and what is in force here.',
    )
    .action(lazy(async () => (await import('../policy.js')).showPolicy))
  policy
    .command('sign <file>')
    .summary('sign a policy for the hosts of a registry')
    .description(
      'Signs a policy with a key of the trust root’s authorities, or with a root key where it names none. A file that is ' +
        'signed already gets one more signature.',
    )
    .option('--key <file>', 'key to sign with: PEM, or a root key (default: key.pem of the home folder)')
    .option(...PASSPHRASE_OPTION)
    .option('--set-version <number>', 'version of the policy; hosts never go back to a lower one')
    .option('--out <file>', 'where to; - for stdout', '-')
    .addHelpText(
      'after',
      examples(
        'countersign policy sign policy.json --set-version 3 --key authority-1.pem --out policy.note',
        'countersign policy sign policy.note --key authority-2.pem --out policy.note',
      ),
    )
    .action(lazy(async () => (await import('../policy.js')).signPolicy))
}
