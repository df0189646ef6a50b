import type { Command } from 'commander'
import { examples, KEY_OPTION, PASSPHRASE_OPTION, YES_OPTION, type Lazy } from './shared.js'
import { describing, target } from './target.js'

/** What a publisher does. */
export function addPublishing(program: Command, lazy: Lazy): void {
  target(describing(program.command('vouch')))
    .summary('capture, sign and publish a server one does not publish')
    .description(
      'Captures a server, signs what it shows under your own namespace, and publishes it for review.',
    )
    .option('--as <name>', 'server name, such as com.example/weather (default: from the package)')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--wait', 'wait for the decision')
    .addHelpText('after', examples('countersign vouch -- npx -y some-server@1.4.0'))
    .action(lazy(async () => (await import('../vouch.js')).vouch))
  target(describing(program.command('capture')))
    .summary('write an unsigned manifest of a real server')
    .description('Starts the real server twice, writes what it shows as a manifest, and proposes slots.')
    .option('--server <name>', 'server name, such as com.example/weather')
    .option('--out <file>', 'where to; - for stdout', '-')
    .option('--voucher', 'a manifest for a server one does not publish')
    .option('--check <manifest>', 'write nothing; fail when the surface is not what this manifest says')
    .addHelpText(
      'after',
      examples(
        'countersign capture --server com.example/weather --out manifest.json -- node dist/server.js',
        'countersign capture --check manifest.json -- node dist/server.js',
      ),
    )
    .action(lazy(async () => (await import('../capture.js')).capture))
  program
    .command('lint <manifest>')
    .description('Runs the registry’s gates at home. Exit 3 when it would be refused.')
    .action(lazy(async () => (await import('../lint.js')).lint))
  program
    .command('sign <manifest>')
    .description('Signs a manifest, offline.')
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--out <file>', 'where to; - for stdout', '-')
    .action(lazy(async () => (await import('../sign.js')).sign))
  program
    .command('publish <file>')
    .summary('push a manifest or an envelope')
    .description(
      'Pushes a manifest (signing it) or a signed envelope, and prints status, log index and findings. In a workflow ' +
        'that is a trusted publisher no login is needed, and nothing is written to the disk.',
    )
    .option(...KEY_OPTION)
    .option(...PASSPHRASE_OPTION)
    .option('--wait', 'wait for the decision; exit 3 unless it is approved')
    .addHelpText(
      'after',
      examples(
        'countersign publish manifest.json --wait',
        'countersign publish manifest.jws --registry "$REGISTRY"',
      ),
    )
    .action(lazy(async () => (await import('../publish.js')).publish))
  addTakingBack(program, lazy)
}

/** What an owner does with a version of its own. */
function addTakingBack(program: Command, lazy: Lazy): void {
  program
    .command('withdraw <version>')
    .description('Takes back a version of yours that nobody decided on yet.')
    .requiredOption('--reason <text>', 'why; it is logged in public')
    .option(...YES_OPTION)
    .addHelpText('after', examples('countersign withdraw com.example/weather@1.4.0 --reason "wrong build"'))
    .action(lazy(async () => (await import('../taking-back.js')).withdraw))
  program
    .command('deprecate <version>')
    .description('Says that an approved version should be replaced; hosts still take it.')
    .requiredOption('--reason <text>', 'why; it is logged in public')
    .addHelpText('after', examples('countersign deprecate com.example/weather@1.3.0 --reason "use 1.4.0"'))
    .action(lazy(async () => (await import('../taking-back.js')).deprecate))
}
