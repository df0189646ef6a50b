/** An option as `node:util` parses it, and what help says of it. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  readonly multiple?: boolean
  /** The name of its value in help. */
  readonly value?: string
  readonly says: string
  readonly required?: boolean
}

export interface CommandSpec {
  readonly name: CommandName
  /** One that may be left out stands in brackets. */
  readonly args?: readonly string[]
  readonly summary: string
  readonly about?: string
  readonly options?: Readonly<Record<string, OptionSpec>>
}

export type CommandName =
  | 'serve'
  | 'migrate'
  | 'reset-password'
  | 'print-config'
  | 'fsck'
  | 'root init'
  | 'root key'
  | 'root propose'
  | 'root sign'
  | 'root show'
  | 'root publish'
  | 'recover'
  | 'export'
  | 'import'
  | 'adopt-keys'

const text = (value: string, says: string, more: Partial<OptionSpec> = {}): OptionSpec => ({
  ...{ type: 'string', value, says },
  ...more,
})
const flag = (says: string): OptionSpec => ({ type: 'boolean', says })
const OUT = text('FILE', 'where it is written; a file that is there is never replaced', { required: true })
const PEOPLE = text('FILE', 'JSON of authorities and approvers, each { keys, threshold }')
const POLICY = text('FILE', 'the witnesses, as a tlog-policy')
const THRESHOLD = text('N', 'how many root keys must sign')
const PREVIOUS = text('FILE', 'the version before it (default: FILE.previous, where propose leaves it)')
const YES = flag('do not ask')

/** Every command of the registry, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  { name: 'serve', summary: 'start the registry (default); npm start' },
  { name: 'migrate', summary: 'bring the database up to this version, and stop' },
  {
    name: 'reset-password',
    args: ['[ACCOUNT]'],
    summary: 'print a code that sets a new password (default: of admin); while the registry is stopped',
  },
  {
    name: 'print-config',
    summary: 'print the configuration without secrets, and stop (also: serve --print-config)',
  },
  {
    name: 'fsck',
    summary:
      'check the whole log in the database: entries, tiles, roots, checkpoints, derived tables; while stopped',
  },
  {
    name: 'root init',
    summary: 'before the first start: make the keys and a first trust root that people sign',
    about:
      'Without --root-key the root key is made here too, and signs at once. Otherwise each holder of a root key runs\n' +
      '`root sign`; then `root publish` begins the log.',
    options: {
      'root-key': text('VKEY', 'a root key, as `root key` prints it', { multiple: true }),
      threshold: { ...THRESHOLD, says: `${THRESHOLD.says} (default: all of them)` },
      people: PEOPLE,
      policy: POLICY,
      identity: text('ID', 'the registry identity, for ever (default: made from the first root key)'),
      out: OUT,
    },
  },
  {
    name: 'root key',
    summary: 'make a root key, to be kept offline; prints what the others need of it',
    options: {
      out: OUT,
      name: text('NAME', 'names its holder, such as example.com/root-1', { required: true }),
    },
  },
  {
    name: 'root propose',
    summary: 'draft the next version of the trust root; while stopped, or with --from',
    about: 'Without changes it is a renewal: the same for another year.',
    options: {
      from: text('FILE', 'the newest root, as /v1/root/latest serves it (default: that of the database)'),
      policy: POLICY,
      people: PEOPLE,
      'add-root-key': text('VKEY', 'a root key more', { multiple: true }),
      'remove-root-key': text('VKEY', 'a root key less', { multiple: true }),
      threshold: THRESHOLD,
      expires: text('DAYS|DATE', 'when it expires (default: in a year)'),
      'refresh-seconds': text('N', 'how often hosts ask'),
      'max-seconds': text('N', 'how old an answer may be'),
      'offline-max-seconds': text('N', 'how old an offline bundle may be'),
      out: OUT,
    },
  },
  {
    name: 'root sign',
    args: ['FILE'],
    summary: 'show what a draft changes, and add a signature to it',
    options: {
      key: text('FILE', 'a root key (default: root.key of the data folder)'),
      previous: PREVIOUS,
      yes: YES,
    },
  },
  {
    name: 'root show',
    args: ['FILE'],
    summary: 'show a trust root, what it changes, and who has signed',
    options: { previous: PREVIOUS },
  },
  {
    name: 'root publish',
    args: ['FILE'],
    summary: 'verify a signed trust root and log it; while stopped',
    about: 'While the registry runs: countersign admin root publish FILE',
    options: { force: flag('also when the new witnesses do not cosign yet') },
  },
  {
    name: 'recover',
    summary: 'end the log where the database ends, and begin its successor; while stopped',
    about:
      'For a log whose newest database is lost, or whose key is stolen. Every approval in the database stays good.\n' +
      'Where the root keys are offline it leaves a draft first; sign it with `root sign`, and run it again with --root.\n' +
      'It may be stopped at any moment and run again.',
    options: {
      from: text('FILE', 'a backup of the database, put in the place of the one that is there'),
      'known-root': text('FILE', 'a trust root that is newer than the backup, as /v1/root/N served it', {
        multiple: true,
      }),
      root: text('FILE', 'the signed trust root that a run before has drafted'),
      out: text(
        'FILE',
        'where the draft is written (default: recovery-root-VERSION.note in the data folder)',
      ),
      yes: YES,
    },
  },
  {
    name: 'export',
    summary: 'write everything but the keys into one file; also while the registry runs',
    about:
      'One committed state, whichever engine: gzip of lines of JSON, with a hash over all of it. It holds hashes of\n' +
      'secrets and what is not published yet. The folders keys/ and oauth/ are not in it.',
    options: { out: OUT, json: flag('print one JSON document') },
  },
  {
    name: 'import',
    args: ['FILE'],
    summary: 'fill an empty database from an export, and check its log',
    about:
      'In one transaction, all or nothing; with the keys of the registry in place. SQLite and PostgreSQL take exports of\n' +
      'each other: what hosts pinned and every proof stays good. Interrupted, it is run again.',
    options: { json: flag('print one JSON document') },
  },
  {
    name: 'adopt-keys',
    summary: 'after the files of oauth/ were replaced for every process: take them for those that all have',
    options: { yes: YES },
  },
]
