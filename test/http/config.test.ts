import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError, parseCommand, readConfig } from '../../src/config.js'

const refusal = (act: () => unknown): ConfigError => {
  try {
    act()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('readConfig', () => {
  it('needs nothing', () => {
    expect(readConfig({ PATH: '/bin', OTHER: 'x' })).toEqual({
      config: {
        listen: { host: '127.0.0.1', port: 8460 },
        dataDir: resolve('data'),
        trustProxy: 0,
        logLevel: 'info',
      },
      secrets: {},
    })
  })

  it('reads every setting, and keeps secrets apart', () => {
    const { config, secrets } = readConfig({
      COUNTERSIGN_PUBLIC_URL: 'https://registry.example.com',
      COUNTERSIGN_LISTEN: '0.0.0.0:80',
      COUNTERSIGN_DATA_DIR: '/srv/data',
      COUNTERSIGN_ROLLBACK_FILE: '/srv/state/rollback',
      COUNTERSIGN_TRUST_PROXY: 'loopback, 10.0.0.0/8',
      COUNTERSIGN_LOG_LEVEL: 'warn',
      COUNTERSIGN_IDENTITY: 'registry.example.com',
      COUNTERSIGN_LOG_KEY_FILE: '/srv/secret/log.key',
    })
    expect(config).toEqual({
      publicUrl: 'https://registry.example.com',
      listen: { host: '0.0.0.0', port: 80 },
      dataDir: '/srv/data',
      rollbackFile: '/srv/state/rollback',
      trustProxy: ['loopback', '10.0.0.0/8'],
      logLevel: 'warn',
      identity: 'registry.example.com',
    })
    expect(secrets).toEqual({ logKeyFile: '/srv/secret/log.key' })
  })

  it.each([
    ['COUNTERSIGN_DATADIR', 'COUNTERSIGN_DATA_DIR'],
    ['COUNTERSIGN_PUBLICURL', 'COUNTERSIGN_PUBLIC_URL'],
    ['COUNTERSIGN_LISTENS', 'COUNTERSIGN_LISTEN'],
    ['COUNTERSIGN_TRUSTED_PROXY', 'COUNTERSIGN_TRUST_PROXY'],
  ])('stops at %s and names the closest right one', (wrong, right) => {
    const error = refusal(() => readConfig({ [wrong]: 'x' }))
    expect(error.setting).toBe(wrong)
    expect(error.message).toContain(`${right}?`)
  })

  it('stops at a name in other letters, which the system would not read', () => {
    expect(refusal(() => readConfig({ countersign_listen: '1' })).setting).toBe('countersign_listen')
  })

  it("leaves the client's own settings alone", () => {
    expect(readConfig({ COUNTERSIGN_HOME: '/home/x', COUNTERSIGN_REGISTRY: 'http://x' }).secrets).toEqual({})
  })

  it.each([
    ['COUNTERSIGN_LISTEN', '127.0.0.1'],
    ['COUNTERSIGN_LISTEN', '127.0.0.1:70000'],
    ['COUNTERSIGN_LISTEN', 'a b:80'],
    ['COUNTERSIGN_PUBLIC_URL', 'registry.example.com'],
    ['COUNTERSIGN_PUBLIC_URL', 'http://registry.example.com'],
    ['COUNTERSIGN_PUBLIC_URL', 'https://registry.example.com/base'],
    ['COUNTERSIGN_PUBLIC_URL', 'https://user:pw@registry.example.com'],
    ['COUNTERSIGN_PUBLIC_URL', 'javascript:alert(1)'],
    ['COUNTERSIGN_TRUST_PROXY', 'true'],
    ['COUNTERSIGN_TRUST_PROXY', '99'],
    ['COUNTERSIGN_LOG_LEVEL', 'verbose'],
    ['COUNTERSIGN_IDENTITY', 'Registry One'],
  ])('refuses %s=%s by its name', (name, value) => {
    expect(refusal(() => readConfig({ [name]: value })).setting).toBe(name)
  })

  it('listens beyond loopback only with a public URL', () => {
    expect(refusal(() => readConfig({ COUNTERSIGN_LISTEN: '0.0.0.0:8460' })).setting).toBe(
      'COUNTERSIGN_PUBLIC_URL',
    )
    for (const listen of ['localhost:1', '[::1]:1', '127.0.0.2:1', '8460']) {
      expect(readConfig({ COUNTERSIGN_LISTEN: listen }).config.publicUrl).toBeUndefined()
    }
  })
})

describe('parseCommand', () => {
  it.each([
    [[], 'serve'],
    [['serve'], 'serve'],
    [['serve', '--print-config'], 'print-config'],
    [['print-config'], 'print-config'],
    [['migrate'], 'migrate'],
    [['serve', '--help'], 'help'],
  ] as const)('%j is %s', (argv, command) => {
    expect(parseCommand(argv)).toBe(command)
  })

  it.each([[['serv']], [['serve', 'now']], [['--port', '80']]])('refuses %j', (argv) => {
    expect(refusal(() => parseCommand(argv))).toBeInstanceOf(ConfigError)
  })
})
