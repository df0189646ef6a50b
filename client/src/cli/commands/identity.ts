import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'

/** Who one is: keys, logins. */
export function addIdentity(program: Command, lazy: Lazy): void {
  program
    .command('keygen')
    .summary('make an Ed25519 key')
    .description(
      'Makes an Ed25519 key (PKCS#8 PEM, 0600) and prints its kid, its JWK and the lines that prove a domain.',
    )
    .option('--out <file>', 'where to (default: key.pem of the home folder); never overwritten')
    .option('--passphrase-file <file>', 'encrypt it with the passphrase in this file (- for stdin)')
    .addHelpText('after', examples('countersign keygen --out release.pem --passphrase-file secret.txt'))
    .action(lazy(async () => (await import('../keys/keygen.js')).keygen))
  program
    .command('login')
    .summary('log in to a registry')
    .description(
      'Logs in to a registry: in the browser (of this machine or another), as an OAuth client with a secret or a key, ' +
        'as a workflow when it runs in one, or the first time with the one-time password that the registry printed.',
    )
    .option('--device', 'in the browser, although this runs in a workflow')
    .option('--client-id <id>', 'OAuth client')
    .option('--client-secret-file <file>', 'file with its secret (- for stdin)')
    .option('--client-key-file <file>', 'its private key (PEM; stays where it is)')
    .option('--client-key-passphrase-file <file>', 'file with the passphrase of that key')
    .option('--one-time-password <password>', 'trade it for a client, once')
    .option('--one-time-password-file <file>', 'the same from a file (- for stdin)')
    .option('--account <name>', 'account of the one-time password', 'admin')
    .option('--issuer <url>', 'one of the issuers that the registry names (default: the usual one)')
    .option('--scope <scope...>', 'no more than publish, review, audit or admin (default: all there are)')
    .addHelpText(
      'after',
      examples(
        'countersign login',
        'countersign login --scope publish',
        'countersign login --client-id client-… --client-secret-file secret.txt',
        'countersign login --client-id client-… --client-key-file service.pem',
      ),
    )
    .action(lazy(async () => (await import('../login/login.js')).login))
  program
    .command('logout')
    .description('Ends the login at the registry and forgets it here.')
    .action(lazy(async () => (await import('../login/logout.js')).logout))
  program
    .command('whoami')
    .description('Says who the registry takes this machine for.')
    .action(lazy(async () => (await import('../login/whoami.js')).whoami))
}
