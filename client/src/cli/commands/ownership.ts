import type { Command } from 'commander'
import { examples, KEY_OPTION, PASSPHRASE_OPTION, YES_OPTION, type Lazy } from './shared.js'

/** What one owns: namespaces and their keys. */
export function addOwnership(program: Command, lazy: Lazy): void {
  addNamespace(program.command('namespace').description('Own a namespace.'), lazy)
  const key = program.command('key').description('The keys of a namespace.')
  addKeys(key, lazy)
  addCeremony(key, lazy)
}

function addNamespace(namespace: Command, lazy: Lazy): void {
  namespace
    .command('claim <namespace>')
    .summary('start to prove that a namespace is yours')
    .description(
      'Asks for a challenge and says what to put where: a TXT record of the domain (dns), a file on its web server ' +
        '(http), or nothing, where a workflow of GitHub Actions or GitLab speaks for io.github.OWNER or ' +
        'io.gitlab.GROUP (oidc; inside of the workflow the claim is proved at once).',
    )
    .option('--proof <kind>', 'dns, http or oidc (default: oidc for io.github and io.gitlab, else dns)')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .addHelpText(
      'after',
      examples(
        'countersign namespace claim com.example',
        'countersign namespace claim com.example --proof http',
        'countersign namespace claim io.github.example --proof oidc',
      ),
    )
    .action(lazy(async () => (await import('../namespaces/claim.js')).claimNamespace))
  namespace
    .command('verify <namespace>')
    .summary('prove it, once the record is there')
    .description(
      'Signs the claim with the key, lets the registry look, and enrols the key as the first of the namespace.',
    )
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--own-only', 'give the key the role own and not also sign')
    .option('--endorsed <file>', 'the key request that the authorities signed, where they must agree')
    .addHelpText('after', examples('countersign namespace verify com.example'))
    .action(lazy(async () => (await import('../namespaces/claim.js')).verifyNamespace))
  namespace
    .command('show <namespace>')
    .description('Shows who owns a namespace, by which proof, and its keys.')
    .action(lazy(async () => (await import('../namespaces/namespace.js')).showNamespace))
  namespace
    .command('check <namespace>')
    .description('Lets the registry look again now whether the proof still stands.')
    .action(lazy(async () => (await import('../namespaces/namespace.js')).checkNamespace))
  namespace
    .command('grant <namespace>')
    .description('Lets an account enrol the first key of a namespace (admins).')
    .option('--account <name>', 'the account (default: your own)')
    .action(lazy(async () => (await import('../namespaces/namespace.js')).grantNamespace))
}

function addKeys(key: Command, lazy: Lazy): void {
  key
    .command('add <namespace>')
    .description('Enrols a key; the first key of a namespace gets the roles own and sign.')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option(
      '--own-key <file>',
      'own key that endorses it, when it is not the first (default: key.pem of the home folder)',
    )
    .option('--own-passphrase-file <file>', 'file with the passphrase of the own key')
    .option('--role <role>', 'sign or own')
    .option('--account <name>', 'account of the namespace (default: your own)')
    .addHelpText(
      'after',
      examples('countersign key add com.example', 'countersign key add com.example --key ci.pem'),
    )
    .action(lazy(async () => (await import('../keys/add.js')).addKey))
  key
    .command('list <namespace>')
    .description('Lists the keys of a namespace and since when they count.')
    .action(lazy(async () => (await import('../keys/list.js')).listKeys))
  key
    .command('revoke <namespace> <kid>')
    .description('Ends a key. Signed by the key itself or by an own key.')
    .requiredOption('--reason <reason>', 'superseded, cessation or compromise')
    .option('--invalid-from <index>', 'log index from which it never counted; the key itself must sign')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option(...YES_OPTION)
    .addHelpText(
      'after',
      examples('countersign key revoke com.example KID --reason compromise --invalid-from 120'),
    )
    .action(lazy(async () => (await import('../keys/revoke.js')).revokeKey))
}

/** What needs signatures of the authorities that the trust root names: a file goes from hand to hand. */
function addCeremony(key: Command, lazy: Lazy): void {
  key
    .command('request <namespace>')
    .summary('write a key event that the authorities sign')
    .description(
      'Writes a file with an unsigned event for the authorities that the trust root names: a new key for a namespace ' +
        'that lost its own ones (--role), its first key where authorities must agree (--first), or the end of a key ' +
        '(--revoke).',
    )
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--role <role>', 'of the new key: own or sign', 'own')
    .option('--first', 'the first key of a namespace that was granted to an account')
    .option('--account <name>', 'with --first: the account (default: your own)')
    .option('--proof <kind>', 'with --first: how it is proved: admin, dns, http or oidc', 'admin')
    .option('--revoke <kid>', 'end this key instead')
    .option('--reason <reason>', 'with --revoke: superseded, cessation or compromise', 'compromise')
    .option('--invalid-from <index>', 'with --revoke: log index from which it never counted')
    .option('--out <file>', 'where to', 'key-request.json')
    .addHelpText(
      'after',
      examples(
        'countersign key request com.example --key new.pem --out recovery.json',
        'countersign key endorse recovery.json --key authority-1.pem',
        'countersign key endorse recovery.json --key authority-2.pem',
        'countersign key submit recovery.json',
        'countersign key request com.example --first --proof dns --out first.json',
        'countersign namespace verify com.example --endorsed first.json',
      ),
    )
    .action(lazy(async () => (await import('../keys/ceremony.js')).requestKey))
  key
    .command('endorse <file>')
    .description('Shows what a key request asks for and signs it as one of the authorities, offline.')
    .requiredOption('--key <file>', 'key of the authority')
    .option(...PASSPHRASE_OPTION)
    .option('--out <file>', 'where to (default: the same file)')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../keys/ceremony.js')).endorseKey))
  key
    .command('submit <file>')
    .description('Sends a key request with the signatures it collected to the registry.')
    .action(lazy(async () => (await import('../keys/ceremony.js')).submitKey))
}
