import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addCommands } from '../../client/src/cli/commands.js'
import { readConfig } from '../../src/config.js'
import { SETTINGS } from '../../src/config/names.js'
import { parseCommandLine } from '../../src/registry/command-line.js'
import { COMMANDS } from '../../src/registry/command-table.js'
import { startRegistry, type TestRegistry } from '../support/registry.js'

// Nothing here can build an image: what its files name is held against what is there.

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found = '']) => found)

interface Package {
  readonly scripts: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly files: readonly string[]
}
const pack = JSON.parse(read('package.json')) as Package
const dockerfile = read('Dockerfile')
const compose = read('compose.yaml')

/** Of the settings of an image or a service, by name. */
function settingsIn(text: string, pattern: RegExp): Record<string, string> {
  const pairs = [...text.matchAll(pattern)].map(([, name = '', value = '']) => [name, value] as const)
  return Object.fromEntries(pairs.filter(([name]) => name.startsWith('COUNTERSIGN_')))
}

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-deployment-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

describe('the Dockerfile', () => {
  const sources = dockerfile
    .split('\n')
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(' ').slice(1, -1))

  it('copies what is there, and what .dockerignore lets through', () => {
    const allowed = matches(read('.dockerignore'), /^!(.+)$/gm)
    expect(sources.length).toBeGreaterThan(8)
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(
        allowed.some((one) => source === one || source.startsWith(`${one}/`)),
        source,
      ).toBe(true)
    }
  })

  it('has in the image every folder that the package is made of', () => {
    const copied = dockerfile.split('\n').filter((line) => line.startsWith('COPY '))
    for (const folder of pack.files) {
      expect(
        copied.some((line) => line.endsWith(` ${folder}`)),
        folder,
      ).toBe(true)
    }
  })

  it('runs scripts and programs that there are', () => {
    for (const script of matches(dockerfile, /npm run ([a-z]+)/g)) expect(pack.scripts).toHaveProperty(script)
    const [program = ''] = matches(dockerfile, /^ENTRYPOINT \["node", "([^"]+)"\]$/gm)
    expect(`./${program}`).toBe(pack.bin['countersign-registry'])
    const [command = ''] = matches(dockerfile, /^CMD \["([^"]+)"\]$/gm)
    expect(COMMANDS.map(({ name }) => name)).toContain(command)
  })

  it('never runs as root, and stops as serve is stopped', () => {
    expect(matches(dockerfile, /^USER (.+)$/gm)).toEqual(['node'])
    expect(matches(dockerfile, /^STOPSIGNAL (.+)$/gm)).toEqual(['SIGTERM'])
  })
})

const imageSettings = settingsIn(dockerfile, /\b([A-Z_]+)=(\S+)/g)

describe('the compose file', () => {
  /** A secret of a file of this test in place of one of the container. */
  const secretFiles: Readonly<Record<string, string>> = {
    'database-url': 'postgres://registry:pass@postgres/registry?sslmode=disable',
    'metrics-token': 'a-token-of-more-than-16',
  }
  const defaulted = compose.replace(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1')

  it('gives the image settings that it starts with', () => {
    const settings = { ...imageSettings, ...settingsIn(defaulted, /^ +([A-Z_]+): '?([^'\n]+)'?$/gm) }
    for (const [name, value] of Object.entries(settings)) {
      const secret = /^\/run\/secrets\/(.+)$/.exec(value)?.[1]
      if (secret === undefined) continue
      settings[name] = join(dir, secret)
      writeFileSync(join(dir, secret), secretFiles[secret] ?? '', { mode: 0o600 })
    }
    const { config, secrets } = readConfig(settings)
    expect(config).toMatchObject({
      dataDir: '/data',
      rollbackFile: '/state/registry.rollback',
      listen: { host: '0.0.0.0', port: 8460 },
      trustProxy: 1,
    })
    expect(secrets.databaseUrl).toBe(secretFiles['database-url'])
    expect(secrets.metricsToken).toBe(secretFiles['metrics-token'])
  })

  it('names the services, volumes and secrets that it has', () => {
    const section = (name: string): string =>
      new RegExp(`^${name}:\\n((?:(?: .*)?\\n)*)`, 'm').exec(compose)?.[1] ?? ''
    const services = matches(section('services'), /^ {2}([a-z0-9-]+):$/gm)
    expect(services).toEqual(['registry-1', 'registry-2', 'postgres', 'proxy'])
    for (const service of matches(compose, /\b(registry-\d|postgres):8460/g))
      expect(services).toContain(service)
    const volumes = matches(section('volumes'), /^ {2}([a-z]+):$/gm)
    expect([...new Set(matches(compose, /['[ ]([a-z]+):\/[a-z]/g))].sort()).toEqual(volumes.sort())
    const secrets = matches(section('secrets'), /^ {2}([a-z-]+):$/gm)
    expect([...new Set(matches(compose, /\/run\/secrets\/([a-z-]+)/g))].sort()).toEqual(secrets.sort())
  })

  it('has everything that is written in one of the two volumes of the image', () => {
    const volumes = matches(dockerfile, /^VOLUME \[(.+)\]$/gm)
      .join()
      .match(/\/[a-z]+/g)
    expect(volumes).toEqual(['/data', '/state'])
    for (const volume of volumes ?? []) expect(compose).toContain(`:${volume}'`)
  })
})

const pages = [
  'docs/operate.md',
  ...readdirSync(join(root, 'docs/operate')).map((name) => `docs/operate/${name}`),
]

describe('the runbook', () => {
  it('links every page, and no other', () => {
    for (const page of pages) {
      for (const link of matches(read(page), /\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        expect(existsSync(join(root, page, '..', link)), `${page}: ${link}`).toBe(true)
      }
    }
    const linked = matches(read('docs/operate.md'), /\]\((operate\/[^)]+)\)/g).map((link) => `docs/${link}`)
    expect(linked.sort()).toEqual(pages.filter((page) => page !== 'docs/operate.md').sort())
  })

  it.each(pages)('%s names commands and settings that there are', (page) => {
    const text = read(page)
    for (const words of matches(text, /countersign-registry(?:\.js)? ([a-z][a-z -]*[a-z])/g)) {
      const [first = '', second = ''] = words.split(' ')
      const names = COMMANDS.map(({ name }) => name)
      expect(names.includes(first as never) || names.includes(`${first} ${second}` as never), words).toBe(
        true,
      )
    }
    const help = parseCommandLine(['--help'])
    for (const name of matches(text, /\bCOUNTERSIGN_([A-Z_]+)/g)) {
      expect('help' in help && help.help, name).toMatch(new RegExp(`\\b${name}\\b`))
    }
  })

  it.each(pages)('%s has commands that can be typed as they stand', (page) => {
    for (const [program, words] of commandsIn(read(page))) {
      const typed = [program, ...words].join(' ')
      if (program === 'countersign') expect(unknownOf(words), typed).toEqual([])
      else expect(() => parseCommandLine(words), typed).not.toThrow()
    }
  })

  it('and the help and README have every setting', () => {
    const help = parseCommandLine(['--help'])
    const readme = read('README.md')
    for (const name of SETTINGS) {
      expect('help' in help && help.help, name).toMatch(new RegExp(`\\b${name}\\b`))
      const family = name.startsWith('ISSUER_') ? 'ISSUER' : name
      expect(readme, name).toContain(`COUNTERSIGN_${family}\``)
    }
  })

  it('explains every code that a start or a command can end with', () => {
    const text = read('docs/operate/refuses-to-start.md')
    const codes = [
      ['src/registry/errors.ts', 'OperatorCode'],
      ['src/log/errors.ts', 'FatalCode'],
      ['src/storage/errors.ts', 'StoreErrorCode'],
      ['src/storage/dump/errors.ts', 'DumpErrorCode'],
    ] as const
    const known = codes.flatMap(([file, type]) =>
      matches(new RegExp(`type ${type} =([^]*?)\n\n`).exec(read(file))?.[1] ?? '', /\| '([a-z-]+)'/g),
    )
    expect(known.length).toBeGreaterThan(30)
    for (const code of known) expect(text, code).toContain(`\`${code}\``)
  })
})

/** Program and words of each command in the blocks and the spans of a page; what a shell puts in is one word. */
function commandsIn(page: string): [program: string, words: string[]][] {
  const text = page.replace(/\$\([^)]*\)/g, 'X')
  const fences = matches(text, /^ *```sh\n([^]*?)^ *```$/gm).flatMap((block) => block.split('\n'))
  const spans = matches(text.replace(/^ *```[^]*?^ *```$/gm, ''), /`([^`]+)`/g)
  return [...fences, ...spans].flatMap((code) => {
    const match = /(?:^|\/| )(countersign(?:-registry)?)(?:\.js)?((?: +[^ #|&]+)+)/.exec(code)
    return match === null ? [] : [[match[1] ?? '', (match[2] ?? '').trim().split(/ +/)]]
  })
}

/** What the client does not know of these words, or misses among them. */
function unknownOf(words: readonly string[]): string[] {
  let command = new Command()
  addCommands(command, () => {
    throw new Error('nothing is run here')
  })
  let at = 0
  for (; command.commands.length > 0; at++) {
    const next = command.commands.find((one) => one.name() === words[at])
    if (next === undefined) break
    command = next
  }
  const rest = words.slice(at)
  const wrong = command.commands.length > 0 && rest.length > 0 ? [rest.join(' ')] : []
  const { operands, unknown } = command.parseOptions(rest)
  const required = command.registeredArguments.filter((argument) => argument.required)
  const missing = required.slice(operands.length).map((argument) => argument.name())
  const mandatory = command.options.filter(({ mandatory }) => mandatory)
  const absent = mandatory.filter(({ long }) => !rest.some((word) => word === long))
  return [...wrong, ...unknown, ...missing, ...absent.map(({ long }) => long ?? '')]
}

describe('what the runbook watches', () => {
  let at: TestRegistry
  beforeAll(async () => {
    at = await startRegistry()
  })
  afterAll(() => at.close())

  it('are metrics and probes that the registry has', async () => {
    const text = await (await fetch(`${at.url}/metrics`)).text()
    const names = matches(text, /^# TYPE (\S+)/gm)
    const watched = matches(pages.map(read).join('\n'), /\b((?:countersign|nodejs)_[a-z0-9_]+)/g)
    expect(watched.length).toBeGreaterThan(8)
    for (const name of watched) expect(names).toContain(name.replace(/_bucket$/, ''))
    for (const probe of matches(dockerfile + compose, /(\/(?:readyz|healthz))/g)) {
      expect((await fetch(at.url + probe)).status).toBe(200)
    }
  })
})
