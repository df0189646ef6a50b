import type { Command } from 'commander'
import { examples, YES_OPTION, type Lazy } from './shared.js'

/** What decisions are made under, and who is told of them. */
export function addRules(admin: Command, lazy: Lazy): void {
  const policy = admin.command('policy').description('The admission policy.')
  policy
    .command('show')
    .description('Shows the admission policy and its history; --json prints the document to edit.')
    .option('--out <file>', 'write the document there, to edit it')
    .action(lazy(async () => (await import('../admin/policy.js')).showPolicy))
  policy
    .command('set <file>')
    .description('Sets the admission policy to the document in this file (- for stdin).')
    .option('--after <version>', 'refuse unless this version is the current one (default: whatever is)')
    .option(...YES_OPTION)
    .addHelpText(
      'after',
      examples(
        'countersign admin policy show --out policy.json',
        'countersign admin policy set policy.json --after 3',
      ),
    )
    .action(lazy(async () => (await import('../admin/policy.js')).setPolicy))
  addWebhooks(admin.command('webhooks').description('Who is told of what happens.'), lazy)
}

function addWebhooks(webhooks: Command, lazy: Lazy): void {
  const ofNamespace = (command: Command): Command =>
    command.option(
      '--namespace <namespace>',
      'of this namespace of yours (default: an admin’s, of everything)',
    )
  ofNamespace(webhooks.command('add <url>'))
    .description('Sends a signed message to this URL for each event.')
    .option('--event <action...>', 'only these, such as publish, approve or revoke (default: all)')
    .addHelpText(
      'after',
      examples(
        'countersign admin webhooks add https://hooks.example.com/countersign --namespace com.example',
      ),
    )
    .action(lazy(async () => (await import('../admin/webhooks.js')).addWebhook))
  ofNamespace(webhooks.command('list'))
    .description('Lists webhooks and how their deliveries go.')
    .action(lazy(async () => (await import('../admin/webhooks.js')).listWebhooks))
  ofNamespace(webhooks.command('remove <id>'))
    .description('Removes a webhook.')
    .option(...YES_OPTION)
    .action(lazy(async () => (await import('../admin/webhooks.js')).removeWebhook))
  ofNamespace(webhooks.command('test <id>'))
    .description('Sends a test message now and says how it went.')
    .action(lazy(async () => (await import('../admin/webhooks.js')).testWebhook))
  webhooks
    .command('key')
    .description('Prints the public key that messages are signed with.')
    .action(lazy(async () => (await import('../admin/webhooks.js')).showWebhookKey))
}
