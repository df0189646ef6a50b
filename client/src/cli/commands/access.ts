import type { Command } from 'commander'
import { examples, YES_OPTION, type Lazy } from './shared.js'

/** How services and workflows get in: OAuth clients and trusted publishers. */
export function addAccess(admin: Command, lazy: Lazy): void {
  addClients(admin.command('client').description('OAuth clients.'), lazy)
  addTrustedPublishers(
    admin.command('trusted-publishers').description('Workflows that publish without a stored secret.'),
    lazy,
  )
}

function addClients(client: Command, lazy: Lazy): void {
  client
    .command('create <name>')
    .summary('make an OAuth client')
    .description(
      'Makes an OAuth client: with a secret, which is printed once; with a key of its own (--public-key); or a public ' +
        'one, with which people log in (--redirect-uri).',
    )
    .requiredOption('--role <role...>', 'publisher, reviewer, admin, auditor')
    .option('--account <name>', 'an existing account (default: a new one of this name)')
    .option('--secret-out <file>', 'write the secret there (0600) instead of printing it')
    .option('--public-key <file>', 'PEM or JWK: the client proves itself with this key (private_key_jwt)')
    .option('--public', 'no secret and no account: for whoever logs in')
    .option('--redirect-uri <uri...>', 'with --public: where a login may come back to')
    .addHelpText(
      'after',
      examples(
        'countersign admin client create ci --role publisher --secret-out ci.txt',
        'countersign admin client create nightly --role publisher --public-key nightly.pub.pem',
        'countersign admin client create console --role reviewer --public --redirect-uri https://console.example.com/callback',
      ),
    )
    .action(lazy(async () => (await import('../admin/client.js')).createClient))
  client
    .command('list')
    .description('Lists OAuth clients.')
    .option('--account <name>', 'only those of this account')
    .action(lazy(async () => (await import('../admin/client.js')).listClients))
  client
    .command('disable <client>')
    .description('Refuses a client and its tokens at once.')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../admin/client.js')).disableClient))
  client
    .command('enable <client>')
    .description('Takes that back.')
    .action(lazy(async () => (await import('../admin/client.js')).enableClient))
}

function addTrustedPublishers(trusted: Command, lazy: Lazy): void {
  trusted
    .command('add <namespace>')
    .summary('let a workflow publish')
    .description(
      'Lets the workflow whose token has all these claims publish in a namespace, or one server of it. Numeric ids ' +
        'stay when names change hands: github needs repository_id, repository_owner_id and workflow_ref or ' +
        'job_workflow_ref; gitlab needs project_id, namespace_id and ci_config_ref_uri or ref_path.',
    )
    .requiredOption('--provider <provider>', 'github, gitlab or oidc')
    .requiredOption('--claim <claim...>', 'NAME=VALUE; * stands for one segment, ** for several')
    .option('--server <name>', 'only this server (default: all of the namespace)')
    .option('--issuer <url>', 'of the tokens (default: the provider’s)')
    .option('--account <name>', 'the account that publishes (default: the owner of the namespace)')
    .addHelpText(
      'after',
      examples(
        'countersign admin trusted-publishers add com.example --provider github --claim repository_id=1234 ' +
          'repository_owner_id=567 "workflow_ref=example/weather/.github/workflows/release.yml@refs/tags/*"',
        'countersign admin trusted-publishers add com.example --provider gitlab --claim project_id=12 namespace_id=34 ' +
          'ref_path=refs/heads/main',
      ),
    )
    .action(lazy(async () => (await import('../admin/trusted-publishers.js')).addTrustedPublisher))
  trusted
    .command('list')
    .description('Lists the workflows that may publish.')
    .option('--namespace <namespace>', 'only those of this namespace')
    .action(lazy(async () => (await import('../admin/trusted-publishers.js')).listTrustedPublishers))
  trusted
    .command('remove <id>')
    .description('Ends that trust.')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../admin/trusted-publishers.js')).removeTrustedPublisher))
}
