import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'
import { target } from './target.js'

/** What a host does. */
export function addUse(program: Command, lazy: Lazy): void {
  const trust = program.command('trust').description('What this machine trusts.')
  trust
    .command('add <url>')
    .description(
      'Pins a registry by the fingerprint of its trust root; without one, on first use. The URL may be that of a mirror: ' +
        'https://…, or file:///… of a folder.',
    )
    .option('--fingerprint <digest>', 'sha256:…, as the registry’s operator says')
    .action(lazy(async () => (await import('../trust.js')).addTrust))
  trust
    .command('show')
    .description('Shows the pinned trust root and what stands behind it.')
    .action(lazy(async () => (await import('../trust.js')).showTrust))
  trust
    .command('update')
    .summary('pins the newest trust root')
    .description(
      'Walks from the pinned trust root to the newest one, each signed by the keys of the one before, and pins that. What it ' +
        'says of the log counts from then on, also where it ends a log before the last entry that this machine saw.',
    )
    .action(lazy(async () => (await import('../trust.js')).updateTrust))
  program
    .command('status <name>')
    .description('Says what the registry knows of NAME or NAME@VERSION.')
    .action(lazy(async () => (await import('../status.js')).status))
  program
    .command('show <name>')
    .description('Shows the verified manifest of NAME or NAME@VERSION.')
    .action(lazy(async () => (await import('../show.js')).show))
  program
    .command('diff <from> <to>')
    .summary('what a change means')
    .description(
      'Says what changed between two versions and what each change means, hidden characters made visible. A side is ' +
        'NAME@VERSION, verified before it is read, or a file: a manifest or an envelope.',
    )
    .addHelpText(
      'after',
      examples(
        'countersign diff com.example/weather@1.3.0 com.example/weather@1.4.0',
        'countersign diff com.example/weather@1.3.0 manifest.json',
      ),
    )
    .action(lazy(async () => (await import('../diff.js')).diff))
  program
    .command('verify <name>')
    .description('Verifies NAME, NAME@VERSION or a bundle file, and says what each step proved.')
    .option('--offline', 'with a bundle file: do not ask the registry')
    .action(lazy(async () => (await import('../verify.js')).verify))
  program
    .command('bundle <name>')
    .summary('the evidence for one version, for a machine without network')
    .description(
      'Fetches the evidence for NAME or NAME@VERSION, verified, into one file for a machine without network. It counts there ' +
        'for as long as the trust root allows offline, from the registry’s last word in it on. A machine that saw the registry ' +
        'before needs a proof from what it saw: give the size it remembers with --since.',
    )
    .option('--out <file>', 'where to; - for stdout', '-')
    .option('--since <size...>', 'sizes of the log that the machines without network remember')
    .addHelpText(
      'after',
      examples(
        'countersign bundle com.example/weather@1.4.0 --out weather.bundle',
        'countersign guard --offline weather.bundle -- npx -y weather-mcp@1.4.0',
      ),
    )
    .action(lazy(async () => (await import('../bundle.js')).bundle))
  target(program.command('check'))
    .summary('start the real server and print a verdict a tool')
    .description('Starts the real server and prints a verdict a tool. Exit 3 when anything is withheld.')
    .option('--server <name>', 'NAME or NAME@VERSION (default: found by package or URL)')
    .option('--pin', 'let an unsigned server pass as first seen, as the default host policy does')
    .addHelpText(
      'after',
      examples('countersign check --server com.example/weather -- npx -y weather-mcp@1.4.0'),
    )
    .action(lazy(async () => (await import('../check.js')).check))
  program
    .command('guard')
    .summary('the proxy a host starts in place of the server')
    .description(
      'Speaks MCP on stdin and stdout, or over HTTP with --listen; only what is verified gets through.',
    )
    .argument('[command...]', 'the server, behind --')
    .option('--url <url>', 'a remote server (Streamable HTTP) instead of a command')
    .option('--header <line...>', 'with --url: NAME: VALUE, sent with each request')
    .option(
      '--server-token-file <file>',
      'with --url: the bearer token for the server, read for each request',
    )
    .option('--server <name>', 'NAME or NAME@VERSION (default: found by package or URL)')
    .option('--policy <file>', 'host policy; `registry` for the one that the registry’s authorities signed')
    .option('--observe', 'record verdicts and block nothing')
    .option('--offline <bundle>', 'a bundle file instead of the registry')
    .option('--listen <port>', 'serve HTTP on this port of 127.0.0.1 instead of stdin and stdout')
    .option('--secret-file <file>', 'with --listen: the bearer secret (default: made up and printed)')
    .option('--events <file>', 'where call records go: a path, - for stderr, fd:N (default: the home folder)')
    .option('--no-events', 'write no call records')
    .option('--record-arguments', 'write the values of arguments into the records')
    .option('--agent <name>', 'who calls, for the records')
    .option('--token-file <file>', 'access token for a private registry, read again for each request')
    .addHelpText(
      'after',
      examples(
        'countersign guard -- npx -y weather-mcp@1.4.0',
        'countersign guard --url https://mcp.example.com/mcp --server-token-file token.txt',
        'countersign guard --listen 8470 -- npx -y weather-mcp@1.4.0',
      ),
    )
    .action(lazy(async () => (await import('../guard.js')).guard))
}
