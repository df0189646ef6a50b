import type { Command } from 'commander'
import { examples, type Lazy } from './shared.js'

/** What a third party does to keep logs honest. */
export function addWitness(program: Command, lazy: Lazy): void {
  program
    .command('witness')
    .summary('cosign the checkpoints of logs, for anybody')
    .description(
      'Answers tlog-witness requests (C2SP tlog-witness v1.0.0) over HTTP until it is ended: cosigns what extends all ' +
        'that it cosigned before, and nothing else. SIGHUP reads the file of logs again; a log that is added, or comes ' +
        'back, goes on from what is known of it. Never put an old copy of the data in their place: make a new key.',
    )
    .requiredOption('--key <file>', 'private key of the witness; made, readable by you alone, with --name')
    .requiredOption(
      '--listen <address>',
      '[HOST:]PORT (HOST: 127.0.0.1; port 0: any); TLS is for a proxy before it',
    )
    .option('--name <name>', 'name of the key, without schema, such as witness.example.com/w1')
    .option('--logs <file>', 'lines `log VKEY`, as in a tlog-policy')
    .option('--log <vkey...>', 'logs besides those of the file')
    .option('--data <file>', 'what was cosigned, for ever (default: the key file with .db behind it)')
    .option('--first-start', 'make the data for a key that is there and never signed')
    .addHelpText(
      'after',
      examples(
        'countersign witness --key witness.key --name witness.example.com/w1 --logs logs.txt --listen 8470',
        'countersign witness --key witness.key --logs logs.txt --listen 0.0.0.0:8470 --json',
      ),
    )
    .action(lazy(async () => (await import('../witness.js')).witness))
}
