import type { Command } from 'commander'
import type { Context, Input } from './context.js'

type Handler = (context: Context, input: Input<never>) => Promise<void>
type ContextOf = (command: Command) => Context | Promise<Context>

/** Declares every command: names, arguments, help. No command's code is loaded here. */
export function addCommands(program: Command, contextOf: ContextOf): void {
  const lazy = (load: () => Promise<Handler>) =>
    async function (this: Command): Promise<void> {
      const handler = await load()
      const args = this.processedArgs.flat().filter((arg): arg is string => typeof arg === 'string')
      await handler(await contextOf(this), { args, options: this.opts() } as Input as Input<never>)
    }
  addIdentity(program, lazy)
  addPublishing(program, lazy)
  addReview(program, lazy)
  addUse(program, lazy)
  addLog(program, lazy)
}

type Lazy = (load: () => Promise<Handler>) => (this: Command) => Promise<void>

const KEY_OPTION = ['--key <file>', 'key to sign with (default: key.pem of the home folder)'] as const
const PASSPHRASE_OPTION = ['--passphrase-file <file>', 'file with the passphrase of the key'] as const

function addIdentity(program: Command, lazy: Lazy): void {
  program
    .command('keygen')
    .summary('make an Ed25519 key')
    .description(
      'Makes an Ed25519 key (PKCS#8 PEM, 0600) and prints its kid, its JWK and the lines that prove a domain.',
    )
    .option('--out <file>', 'where to (default: key.pem of the home folder); never overwritten')
    .option('--passphrase-file <file>', 'encrypt it with the passphrase in this file (- for stdin)')
    .addHelpText('after', '\nExample:\n  $ countersign keygen --out release.pem --passphrase-file secret.txt')
    .action(lazy(async () => (await import('./keygen.js')).keygen))
  program
    .command('login')
    .summary('log in to a registry')
    .description(
      'Logs in with an OAuth client, or the first time with the one-time password that the registry printed.',
    )
    .option('--client-id <id>', 'OAuth client')
    .option('--client-secret-file <file>', 'file with its secret (- for stdin)')
    .option('--one-time-password <password>', 'trade it for a client, once')
    .option('--one-time-password-file <file>', 'the same from a file (- for stdin)')
    .option('--account <name>', 'account of the one-time password', 'admin')
    .addHelpText(
      'after',
      '\nExample:\n  $ countersign login --client-id client-… --client-secret-file secret.txt',
    )
    .action(lazy(async () => (await import('./login.js')).login))
  program
    .command('logout')
    .description('Forgets the credentials for a registry.')
    .action(lazy(async () => (await import('./login.js')).logout))
  program
    .command('whoami')
    .description('Says who the registry takes this machine for.')
    .action(lazy(async () => (await import('./login.js')).whoami))
  const namespace = program.command('namespace').description('Own a namespace.')
  namespace
    .command('grant <namespace>')
    .description('Lets an account enrol the first key of a namespace (admins).')
    .option('--account <name>', 'the account (default: your own)')
    .action(lazy(async () => (await import('./namespace.js')).grantNamespace))
  namespace
    .command('show <namespace>')
    .description('Shows who owns a namespace and its keys.')
    .action(lazy(async () => (await import('./namespace.js')).showNamespace))
  const key = program.command('key').description('The keys of a namespace.')
  key
    .command('add <namespace>')
    .description('Enrols a key; the first key of a namespace gets the roles own and sign.')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--own-key <file>', 'own key that endorses it, when it is not the first')
    .option('--own-passphrase-file <file>', 'file with the passphrase of the own key')
    .option('--role <role>', 'sign or own')
    .option('--account <name>', 'account of the namespace (default: your own)')
    .action(lazy(async () => (await import('./key.js')).addKey))
  key
    .command('list <namespace>')
    .description('Lists the keys of a namespace and since when they count.')
    .action(lazy(async () => (await import('./key.js')).listKeys))
  key
    .command('revoke <namespace> <kid>')
    .description('Ends a key. Signed by the key itself or by an own key.')
    .requiredOption('--reason <reason>', 'superseded, cessation or compromise')
    .option('--invalid-from <index>', 'log index from which it never counted; the key itself must sign')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .action(lazy(async () => (await import('./key.js')).revokeKey))
}

/** Everything about which server: the same words for capture, vouch, check and guard. */
function target(command: Command): Command {
  return command
    .argument('[command...]', 'the server, behind --')
    .option('--url <url>', 'a remote server (Streamable HTTP) instead of a command')
    .option('--header <header...>', 'for a URL: NAME: VALUE, sent and never recorded')
    .option('--env <name...>', 'environment variable the server needs: NAME, or NAME=VALUE')
    .option('--timeout <seconds>', 'for the server to start', '120')
}

function describing(command: Command): Command {
  return command
    .option('--set-version <version>', 'its version (default: that of the package)')
    .option('--slots <which>', 'proposals that become slots: none, sure or all', 'sure')
    .option('--subject <name>', 'the name its publisher gave it, when it is no package')
    .option('--title <text>', 'a title for people')
    .option('--description <text>', 'a description for people')
}

function addPublishing(program: Command, lazy: Lazy): void {
  target(describing(program.command('vouch')))
    .summary('capture, sign and publish a server one does not publish')
    .description(
      'Captures a server, signs what it shows under your own namespace, and publishes it for review.',
    )
    .option('--as <name>', 'server name, such as com.example/weather (default: from the package)')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--wait', 'wait for the decision')
    .addHelpText('after', '\nExample:\n  $ countersign vouch -- npx -y some-server@1.4.0')
    .action(lazy(async () => (await import('./vouch.js')).vouch))
  target(describing(program.command('capture')))
    .summary('write an unsigned manifest of a real server')
    .description('Starts the real server twice, writes what it shows as a manifest, and proposes slots.')
    .option('--server <name>', 'server name, such as com.example/weather')
    .option('--out <file>', 'where to; - for stdout', '-')
    .option('--voucher', 'a manifest for a server one does not publish')
    .option('--check <manifest>', 'write nothing; fail when the surface is not what this manifest says')
    .addHelpText(
      'after',
      '\nExamples:\n  $ countersign capture --server com.example/weather --out manifest.json -- node dist/server.js' +
        '\n  $ countersign capture --check manifest.json -- node dist/server.js',
    )
    .action(lazy(async () => (await import('./capture.js')).capture))
  program
    .command('lint <manifest>')
    .description('Runs the registry’s gates at home. Exit 3 when it would be refused.')
    .action(lazy(async () => (await import('./lint.js')).lint))
  program
    .command('sign <manifest>')
    .description('Signs a manifest, offline.')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--out <file>', 'where to; - for stdout', '-')
    .action(lazy(async () => (await import('./sign.js')).sign))
  program
    .command('publish <file>')
    .summary('push a manifest or an envelope')
    .description(
      'Pushes a manifest (signing it) or a signed envelope, and prints status, log index and findings.',
    )
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--wait', 'wait for the decision; exit 3 unless it is approved')
    .action(lazy(async () => (await import('./publish.js')).publish))
}

function addReview(program: Command, lazy: Lazy): void {
  const admin = program.command('admin').description('The reviewer’s and the admin’s work.')
  admin
    .command('pending')
    .description('Lists what waits for a decision.')
    .action(lazy(async () => (await import('./admin-review.js')).pending))
  admin
    .command('show <version>')
    .description(
      'Shows exactly what the model would see, hidden characters made visible. NAME, NAME@VERSION or a digest.',
    )
    .action(lazy(async () => (await import('./admin-show.js')).showManifest))
  admin
    .command('approve <version>')
    .description('Approves exactly this manifest.')
    .option('--override <reason>', 'approve although findings hold it, and say why')
    .option('--comment <text>', 'for the audit trail')
    .action(lazy(async () => (await import('./admin-review.js')).approve))
  admin
    .command('reject <version>')
    .description('Rejects a manifest.')
    .requiredOption('--reason <text>', 'why; it is logged in public')
    .action(lazy(async () => (await import('./admin-review.js')).reject))
  admin
    .command('revoke <version>')
    .description('Revokes an approved manifest: hosts refuse it within the freshness bound.')
    .requiredOption('--reason <text>', 'why; it is logged in public')
    .action(lazy(async () => (await import('./admin-review.js')).revoke))
  admin
    .command('client')
    .description('OAuth clients.')
    .command('create <name>')
    .description('Makes an OAuth client for a service or a person; its secret is printed once.')
    .requiredOption('--role <role...>', 'publisher, reviewer, admin, auditor')
    .option('--account <name>', 'an existing account (default: a new one of this name)')
    .option('--secret-out <file>', 'write the secret there (0600) instead of printing it')
    .action(lazy(async () => (await import('./admin-client.js')).createClient))
}

function addUse(program: Command, lazy: Lazy): void {
  const trust = program.command('trust').description('What this machine trusts.')
  trust
    .command('add <url>')
    .description('Pins a registry by the fingerprint of its trust root; without one, on first use.')
    .option('--fingerprint <digest>', 'sha256:…, as the registry’s operator says')
    .action(lazy(async () => (await import('./trust.js')).addTrust))
  trust
    .command('show')
    .description('Shows the pinned trust root and what stands behind it.')
    .action(lazy(async () => (await import('./trust.js')).showTrust))
  program
    .command('status <name>')
    .description('Says what the registry knows of NAME or NAME@VERSION.')
    .action(lazy(async () => (await import('./status.js')).status))
  program
    .command('show <name>')
    .description('Shows the verified manifest of NAME or NAME@VERSION.')
    .action(lazy(async () => (await import('./show.js')).show))
  program
    .command('verify <name>')
    .description('Verifies NAME, NAME@VERSION or a bundle file, and says what each step proved.')
    .option('--offline', 'with a bundle file: do not ask the registry')
    .action(lazy(async () => (await import('./verify.js')).verify))
  program
    .command('bundle <name>')
    .description('Fetches the evidence for NAME or NAME@VERSION for offline use.')
    .option('--out <file>', 'where to; - for stdout', '-')
    .action(lazy(async () => (await import('./bundle.js')).bundle))
  target(program.command('check'))
    .summary('start the real server and print a verdict a tool')
    .description('Starts the real server and prints a verdict a tool. Exit 3 when anything is withheld.')
    .option('--server <name>', 'NAME or NAME@VERSION (default: found by package or URL)')
    .option('--pin', 'let an unsigned server pass as first seen, as the default host policy does')
    .addHelpText(
      'after',
      '\nExample:\n  $ countersign check --server com.example/weather -- npx -y weather-mcp@1.4.0',
    )
    .action(lazy(async () => (await import('./check.js')).check))
  program
    .command('guard')
    .summary('the proxy a host starts in place of the server')
    .description('Speaks MCP on stdin and stdout; only what is verified gets through.')
    .argument('[command...]', 'the server, behind --')
    .option('--server <name>', 'NAME or NAME@VERSION (default: found by package or URL)')
    .option('--policy <file>', 'host policy')
    .option('--observe', 'record verdicts and block nothing')
    .option('--offline <bundle>', 'a bundle file instead of the registry')
    .option('--url <url>', 'a remote server (Streamable HTTP) instead of a command')
    .addHelpText('after', '\nExample:\n  $ countersign guard -- npx -y weather-mcp@1.4.0')
    .action(lazy(async () => (await import('./guard.js')).guard))
}

function addLog(program: Command, lazy: Lazy): void {
  program
    .command('log')
    .description('Audit the registry.')
    .command('verify')
    .description('Replays the whole log from its tiles. Exit 3, with evidence, on any lie.')
    .option('--evidence <file>', 'where to write the evidence')
    .action(lazy(async () => (await import('./log-verify.js')).verifyLog))
  program
    .command('completion <shell>')
    .description('Prints completions for bash, zsh or fish.')
    .addHelpText('after', '\nExample:\n  $ source <(countersign completion bash)')
    .action(async function (this: Command) {
      const { printCompletion } = await import('./completion.js')
      printCompletion(program, this.args[0] ?? '')
    })
}
