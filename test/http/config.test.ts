import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from '../../src/config.js'
import { isPrivate } from '../../src/config/secrets.js'
import { effectiveConfig } from '../../src/registry/effective.js'

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
      COUNTERSIGN_ROOT_FILE: '/srv/root.json',
      COUNTERSIGN_WITNESS_POLICY_FILE: '/srv/witnesses.policy',
      COUNTERSIGN_ISSUER: 'https://login.example.com/realms/main',
      COUNTERSIGN_ISSUER_AUDIENCE: 'api://registry',
      COUNTERSIGN_ISSUER_CLIENT_ID: 'countersign',
      COUNTERSIGN_ISSUER_ADMIN: 'a1b2',
      COUNTERSIGN_ISSUER_ROLES_CLAIM: 'https://example.com/roles',
      COUNTERSIGN_ISSUER_ALGORITHMS: 'ES256, RS256,ES256',
      COUNTERSIGN_DPOP: 'admin',
      COUNTERSIGN_DNS_SERVERS: '192.0.2.53, 192.0.2.54:5353, 2001:db8::53, [2001:db8::54]:53',
      COUNTERSIGN_KEY_RECOVERY_SECONDS: '86400',
      COUNTERSIGN_PROOF_CHECK_SECONDS: '3600',
      COUNTERSIGN_WEBHOOK_URL: 'https://hooks.example.com/services/T0/secret',
      COUNTERSIGN_DATABASE_URL: 'postgres://registry:pass@db.example.com/registry?sslmode=verify-full',
      COUNTERSIGN_PRIVATE: 'reads',
    })
    expect(config).toEqual({
      publicUrl: 'https://registry.example.com',
      listen: { host: '0.0.0.0', port: 80 },
      dataDir: '/srv/data',
      rollbackFile: '/srv/state/rollback',
      trustProxy: ['loopback', '10.0.0.0/8'],
      logLevel: 'warn',
      identity: 'registry.example.com',
      rootFile: '/srv/root.json',
      witnessPolicyFile: '/srv/witnesses.policy',
      externalIssuer: {
        url: 'https://login.example.com/realms/main',
        audience: 'api://registry',
        clientId: 'countersign',
        admin: 'a1b2',
        rolesClaim: 'https://example.com/roles',
        algorithms: ['ES256', 'RS256'],
      },
      dpop: 'admin',
      dnsServers: ['192.0.2.53', '192.0.2.54:5353', '2001:db8::53', '[2001:db8::54]:53'],
      keyRecoverySeconds: 86_400,
      proofCheckSeconds: 3600,
      privacy: 'reads',
    })
    expect(secrets).toEqual({
      logKeyFile: '/srv/secret/log.key',
      webhookUrl: 'https://hooks.example.com/services/T0/secret',
      databaseUrl: 'postgres://registry:pass@db.example.com/registry?sslmode=verify-full',
    })
  })

  it('prints no secret with the configuration', () => {
    const { config } = readConfig({
      COUNTERSIGN_WEBHOOK_URL: 'https://hooks.example.com/services/secret-path',
      COUNTERSIGN_LOG_KEY_FILE: '/srv/secret-path/log.key',
    })
    expect(JSON.stringify(config)).not.toContain('secret-path')
  })

  it('takes an external issuer with nothing but its URL, and every asymmetric algorithm then', () => {
    const { config } = readConfig({ COUNTERSIGN_ISSUER: 'https://login.example.com/' })
    expect(config.externalIssuer).toEqual({
      url: 'https://login.example.com/',
      algorithms: ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'],
    })
    expect(readConfig({ COUNTERSIGN_ISSUER: 'http://127.0.0.1:9000' }).config.externalIssuer?.url).toBe(
      'http://127.0.0.1:9000',
    )
  })

  it.each([['https://registry.example.com'], ['https://registry.example.com/']])(
    'refuses the registry itself as the external issuer: %s',
    (issuer) => {
      const env = { COUNTERSIGN_PUBLIC_URL: 'https://registry.example.com', COUNTERSIGN_ISSUER: issuer }
      expect(refusal(() => readConfig(env)).setting).toBe('COUNTERSIGN_ISSUER')
    },
  )

  it.each([['AUDIENCE'], ['CLIENT_ID'], ['ADMIN'], ['ROLES_CLAIM'], ['ALGORITHMS']])(
    'refuses COUNTERSIGN_ISSUER_%s without an issuer',
    (name) => {
      const setting = `COUNTERSIGN_ISSUER_${name}`
      expect(refusal(() => readConfig({ [setting]: 'ES256' })).setting).toBe(setting)
    },
  )

  it.each([
    ['COUNTERSIGN_ISSUER_AUDIENCE', 'two words'],
    ['COUNTERSIGN_ISSUER_AUDIENCE', 'a'.repeat(256)],
    ['COUNTERSIGN_ISSUER_CLIENT_ID', 'caf\u00e9'],
    ['COUNTERSIGN_ISSUER_ADMIN', 'a\u0000b'],
    ['COUNTERSIGN_ISSUER_ROLES_CLAIM', 'my roles'],
    ['COUNTERSIGN_ISSUER_ALGORITHMS', 'HS256'],
    ['COUNTERSIGN_ISSUER_ALGORITHMS', 'none'],
    ['COUNTERSIGN_ISSUER_ALGORITHMS', 'ES256,'],
  ])('with an issuer, refuses %s=%j by its name', (name, value) => {
    const env = { COUNTERSIGN_ISSUER: 'https://login.example.com', [name]: value }
    expect(refusal(() => readConfig(env)).setting).toBe(name)
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
    expect(readConfig({ COUNTERSIGN_ID_TOKEN: 'abc' }).secrets).toEqual({})
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
    ['COUNTERSIGN_ISSUER', 'login.example.com'],
    ['COUNTERSIGN_ISSUER', 'http://login.example.com'],
    ['COUNTERSIGN_ISSUER', 'https://login.example.com/?tenant=1'],
    ['COUNTERSIGN_ISSUER', 'https://login.example.com/#x'],
    ['COUNTERSIGN_ISSUER', 'https://user:pw@login.example.com'],
    ['COUNTERSIGN_ISSUER', 'https://Login.example.com:443/a/../b'],
    ['COUNTERSIGN_DPOP', 'always'],
    ['COUNTERSIGN_DNS_SERVERS', 'dns.example.com'],
    ['COUNTERSIGN_DNS_SERVERS', '192.0.2.53:0'],
    ['COUNTERSIGN_DNS_SERVERS', '192.0.2.53:70000'],
    ['COUNTERSIGN_DNS_SERVERS', '192.0.2.53,'],
    ['COUNTERSIGN_DNS_SERVERS', Array.from({ length: 9 }, () => '192.0.2.53').join(',')],
    ['COUNTERSIGN_KEY_RECOVERY_SECONDS', '0'],
    ['COUNTERSIGN_KEY_RECOVERY_SECONDS', '59'],
    ['COUNTERSIGN_KEY_RECOVERY_SECONDS', '1e9'],
    ['COUNTERSIGN_KEY_RECOVERY_SECONDS', '31536001'],
    ['COUNTERSIGN_PROOF_CHECK_SECONDS', 'daily'],
    ['COUNTERSIGN_PROOF_CHECK_SECONDS', '172801'],
    ['COUNTERSIGN_WEBHOOK_URL', 'http://hooks.example.com/x'],
    ['COUNTERSIGN_WEBHOOK_URL', 'hooks'],
    ['COUNTERSIGN_WEBHOOK_URL', 'https://user:pw@hooks.example.com/x'],
    ['COUNTERSIGN_PRIVATE', 'true'],
    ['COUNTERSIGN_PRIVATE', 'Reads'],
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

describe('COUNTERSIGN_DATABASE_URL', () => {
  const read = (url: string) => readConfig({ COUNTERSIGN_DATABASE_URL: url }).secrets.databaseUrl

  it.each([
    ['postgres://registry:pass@127.0.0.1:5432/registry'],
    ['postgresql://registry@localhost/registry'],
    ['postgres://registry@[::1]/registry'],
    ['postgres:///registry?host=/var/run/postgresql&user=registry'],
    ['postgres://registry@%2Fvar%2Frun%2Fpostgresql/registry'],
    [
      `postgres://registry:pass@db.example.com/registry?sslmode=verify-full&sslrootcert=${import.meta.filename}`,
    ],
    ['postgres://registry:p%23%40ss@db.example.com/registry?sslmode=verify-full'],
    ['postgres://registry:pass@db.example.com/registry?sslmode=require'],
    ['postgres://registry:pass@db/registry?sslmode=disable'],
  ])('takes %s', (url) => {
    expect(read(url)).toBe(url)
  })

  it.each([
    ['another engine', 'mysql://registry@127.0.0.1/registry'],
    ['a file', 'sqlite:///srv/registry.sqlite'],
    ['no URL', '/srv/registry.sqlite'],
    ['no database', 'postgres://registry@127.0.0.1'],
    ['a path', 'postgres://registry@127.0.0.1/a/b'],
    ['a password that cuts itself off', 'postgres://registry:pa#ss@127.0.0.1/registry'],
    ['another machine in the clear', 'postgres://registry:pass@db.example.com/registry'],
    ['another machine behind a local name', 'postgres://registry@127.0.0.1/registry?host=db.example.com'],
    ['another machine behind an empty word', 'postgres://registry:pass@db.example.com/registry?host='],
    ['a host that the environment would say', 'postgres:///registry?user=registry'],
    ['a password that no driver can read', 'postgres://registry:pass%E4@127.0.0.1/registry'],
    ['a percent that begins nothing', 'postgres://registry:pass%zz@127.0.0.1/registry'],
    [
      'a certificate that is not there',
      'postgres://u:pass@127.0.0.1/r?sslmode=verify-full&sslrootcert=/nowhere/ca.pem',
    ],
    ['a name that begins like this machine', 'postgres://registry@127.0.0.1.example.com/registry'],
    ['a mode that the driver would pass over', 'postgres://registry@db.example.com/registry?sslmode=allow'],
    ['a mode that is said twice', 'postgres://u@db.example.com/r?sslmode=verify-full&sslmode=disable'],
    ['another word for the mode', 'postgres://u@db.example.com/registry?ssl=false'],
    ['more than a URL', `postgres://registry@127.0.0.1/${'a'.repeat(2048)}`],
  ])('refuses %s, and never quotes it', (_what, url) => {
    const error = refusal(() => read(url))
    expect(error.setting).toBe('COUNTERSIGN_DATABASE_URL')
    expect(error.message).not.toContain('pass@')
  })
})

describe('secrets in files', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'countersign-config-'))
  })
  afterAll(() => {
    rmSync(dir, { recursive: true })
  })
  const file = (content: string, mode = 0o600): string => {
    const path = join(dir, `${content.length}-${mode}`)
    writeFileSync(path, content)
    chmodSync(path, mode)
    return path
  }
  const URL_TEXT = 'postgres://registry:pass@127.0.0.1/registry'
  const TOKEN = 'a-long-enough-token'

  it('are read, without the line end that editors leave', () => {
    const { secrets, config } = readConfig({
      COUNTERSIGN_DATABASE_URL_FILE: file(`${URL_TEXT}\n`),
      COUNTERSIGN_WEBHOOK_URL_FILE: file('https://hooks.example.com/secret-path'),
      COUNTERSIGN_METRICS_TOKEN_FILE: file(TOKEN, 0o400),
    })
    expect(secrets).toEqual({
      databaseUrl: URL_TEXT,
      webhookUrl: 'https://hooks.example.com/secret-path',
      metricsToken: TOKEN,
    })
    const shown = JSON.stringify(effectiveConfig(config, secrets))
    for (const secret of ['pass', 'secret-path', TOKEN]) expect(shown).not.toContain(secret)
    expect(JSON.parse(shown)).toMatchObject({
      database: { postgres: 'set' },
      secrets: { databaseUrl: 'set', webhookUrl: 'set', metricsToken: 'set', logKeyFile: 'not set' },
    })
  })

  it('hold what the setting itself may say, and nothing else', () => {
    for (const [name, content] of [
      ['COUNTERSIGN_DATABASE_URL', 'postgres://registry:pass@db.example.com/registry'],
      ['COUNTERSIGN_WEBHOOK_URL', 'http://hooks.example.com/x'],
      ['COUNTERSIGN_METRICS_TOKEN_FILE', 'short'],
      ['COUNTERSIGN_METRICS_TOKEN_FILE', 'two words of a token'],
      ['COUNTERSIGN_METRICS_TOKEN_FILE', 'one-line-of-a-token\nanother-line-of-it'],
      ['COUNTERSIGN_METRICS_TOKEN_FILE', ' \n'],
      ['COUNTERSIGN_METRICS_TOKEN_FILE', 'x'.repeat(4097)],
    ] as const) {
      const setting = name.replace(/(_FILE)?$/, '_FILE')
      const error = refusal(() => readConfig({ [setting]: file(content) }))
      expect(error.setting).toBe(name)
      expect(error.message).not.toContain(content.trim() || 'none')
    }
  })

  it('are refused when others may read them, when they are no file, and when the secret is set as well', () => {
    const url = file(URL_TEXT, 0o644)
    for (const env of [
      { COUNTERSIGN_DATABASE_URL_FILE: url },
      { COUNTERSIGN_DATABASE_URL_FILE: dir },
      { COUNTERSIGN_DATABASE_URL_FILE: join(dir, 'nowhere') },
      { COUNTERSIGN_DATABASE_URL_FILE: file(URL_TEXT), COUNTERSIGN_DATABASE_URL: URL_TEXT },
    ]) {
      expect(refusal(() => readConfig(env)).setting).toBe('COUNTERSIGN_DATABASE_URL_FILE')
    }
  })

  it.each([
    [0o100600, 1000, true],
    [0o100400, 0, true],
    [0o100440, 0, true],
    [0o100640, 0, true],
    [0o100440, 1000, false],
    [0o100660, 0, false],
    [0o100444, 0, false],
    [0o100601, 1000, false],
  ])('of mode %o and owner %i are private: %s', (mode, uid, expected) => {
    expect(isPrivate({ mode, uid })).toBe(expected)
  })
})

describe('what is in force', () => {
  it('has every default in it', () => {
    const { config, secrets } = readConfig({ XDG_STATE_HOME: '/srv/state' })
    expect(effectiveConfig(config, secrets)).toMatchObject({
      publicUrl: 'http://127.0.0.1:8460',
      rollbackFile: '/srv/state/countersign/IDENTITY.rollback',
      database: { sqlite: resolve('data', 'registry.sqlite') },
      keyRecoverySeconds: 604_800,
      hostPolicyFile: expect.any(String) as string,
      proofCheckSeconds: 86_400,
      logLevel: 'info',
    })
  })

  it('has what was set in the place of its default', () => {
    const { config, secrets } = readConfig({
      COUNTERSIGN_HOST_POLICY_FILE: '/srv/policy.json',
      COUNTERSIGN_PROOF_CHECK_SECONDS: '3600',
    })
    expect(effectiveConfig(config, secrets)).toMatchObject({
      hostPolicyFile: resolve('/srv/policy.json'),
      proofCheckSeconds: 3600,
    })
  })
})
