import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeKeyX,
  formatNote,
  formatTime,
  formatVerifierKey,
  noteSigner,
  openTrustRoot,
  parseTrustRoot,
  randomBytes,
  rootFingerprint,
  signerFromSeed,
} from 'countersign/core'
import { readKey } from '../../src/log/keys.js'
import { bodyOf, signRoot } from '../../src/log/root.js'
import { keyCommand, showCommand, signCommand } from '../../src/registry/commands/root-papers.js'
import { initCommand, proposeCommand, publishCommand } from '../../src/registry/commands/root.js'
import { makeRootKey } from '../../src/registry/root/key.js'
import { addPublisher, approveManifest, publishManifest, sampleManifest, send } from '../support/registry.js'
import { openAdminSeat } from '../support/cli-inside.js'
import { fetchText, hostOf, openPlace, type Place, type Running } from './support.js'

let place: Place
beforeEach(() => {
  place = openPlace()
})
afterEach(() => place.remove())

/** Offline root keys `key-1` to `key-N` in files; the texts that name them. */
async function makeKeys(count: number, from = 1): Promise<string[]> {
  const vkeys: string[] = []
  for (let n = from; n < from + count; n++) {
    vkeys.push(await makeRootKey(place.file(`key-${n}`), `example.com/root-${n}`))
  }
  return vkeys
}

const named = (vkeys: readonly string[]): string[] => vkeys.flatMap((vkey) => ['--root-key', vkey])
const init = (...args: string[]) =>
  place.run(initCommand, ['root', 'init', '--out', place.file('one'), ...args])
const propose = (...args: string[]) =>
  place.run(proposeCommand, ['root', 'propose', '--out', place.file('next'), ...args])
const sign = (file: string, key: number, ...args: string[]) =>
  place.run(signCommand, ['root', 'sign', place.file(file), '--key', place.file(`key-${key}`), ...args])
const publish = (file: string, ...args: string[]) =>
  place.run(publishCommand, ['root', 'publish', place.file(file), ...args])
const text = (file: string): string => readFileSync(place.file(file), 'utf8')

/** A registry whose first root two of three offline keys have signed. */
async function begin(): Promise<string[]> {
  const vkeys = await makeKeys(3)
  await init(...named(vkeys), '--threshold', '2', '--identity', 'tools.example')
  await sign('one', 1)
  await sign('one', 2)
  await publish('one')
  return vkeys
}

async function postRoot(at: Running, note: string, query = '') {
  return send(at.url, 'POST', `/v1/admin/roots${query}`, {
    body: note,
    token: await at.admin.token(),
    headers: { 'content-type': 'text/plain' },
  })
}

describe('a ceremony', () => {
  it('from three offline keys to a rotated root that hosts walk', async () => {
    const vkeys = await makeKeys(3)
    const made = await init(...named(vkeys), '--threshold', '2')
    expect(existsSync(join(place.config.dataDir, 'keys', 'root.key'))).toBe(false)
    expect((await sign('one', 1)).tell.join()).toContain('root signatures needed 2')
    await expect(publish('one')).rejects.toMatchObject({
      code: 'root-invalid',
      detail: { reason: 'root-unsigned' },
    })
    await sign('one', 3)
    await publish('one')

    const first = await place.start()
    expect(first.fingerprint).toBe(made.say[0])
    const rootNote = await fetchText(first, '/v1/root/1')
    expect(rootNote).toBe(text('one'))
    const publisher = await addPublisher(first, 'com.example')
    const manifest = sampleManifest(first.identity, { server: 'com.example/weather' })
    const { manifest: digest } = await publishManifest(publisher, manifest)
    await approveManifest(first.admin, digest)
    await first.stop()

    const [, , gone = ''] = vkeys
    const [added = ''] = await makeKeys(1, 4)
    await propose(
      '--remove-root-key',
      gone,
      '--add-root-key',
      added,
      '--expires',
      '90',
      '--max-seconds',
      '7200',
    )
    for (const key of [4, 1]) await sign('next', key)
    const second = await place.start()
    const refused = await postRoot(second, text('next'))
    expect([refused.status, refused.body.code]).toEqual([422, 'root-invalid'])
    await sign('next', 2)
    const { status, body } = await postRoot(second, text('next'))
    expect([status, body]).toMatchObject([201, { version: 2, index: expect.any(Number) as number }])
    const host = await hostOf(second, { rootNote })
    expect((await host.verify('com.example/weather')).digest).toBe(digest)
    await host.close()
    expect(parseTrustRoot(await fetchText(second, '/v1/root/latest'))).toMatchObject({
      version: 2,
      freshness: { maxSeconds: 7200 },
      rootKeys: [vkeys[0], vkeys[1], added],
    })
    const { records } = (await second.admin.get('/v1/audit?action=root.publish')).body
    expect(records).toMatchObject([{ target: 'root:2', index: body.index }])
  })

  it('of a registry that stands alone signs at once, and begins with what was published', async () => {
    await init('--identity', 'tools.example')
    expect(statSync(join(place.config.dataDir, 'keys', 'root.key')).mode & 0o777).toBe(0o600)
    await publish('one')
    const at = await place.start()
    expect(await fetchText(at, '/v1/root/1')).toBe(text('one'))
    expect(at.fingerprint).toBe(rootFingerprint(parseTrustRoot(text('one')).text))
  })

  it('goes on in the command line of an admin while the registry runs', async () => {
    await init()
    await publish('one')
    await propose('--offline-max-seconds', '86400')
    await place.run(signCommand, ['root', 'sign', place.file('next')])
    const at = await place.start()
    const seat = await openAdminSeat(at)
    try {
      expect(await seat.ok('admin', 'root', 'publish', place.file('next'), '--yes')).toMatchObject({
        version: 2,
        published: true,
      })
      const shown = await seat.ok('admin', 'root', 'show')
      expect(shown).toMatchObject({ version: 2, freshness: { offlineMaxSeconds: 86_400 } })
      const again = await seat.fails('admin', 'root', 'publish', place.file('next'), '--yes')
      expect(again.detail).toMatchObject({ code: 'root-conflict' })
      writeFileSync(place.file('junk'), 'junk\n')
      expect((await seat.fails('admin', 'root', 'publish', place.file('junk'), '--yes')).code).toBe('usage')
    } finally {
      seat.close()
    }
  })

  it('drafts from a root that anybody was served, without the database', async () => {
    await begin()
    const at = await place.start()
    writeFileSync(place.file('served'), await fetchText(at, '/v1/root/latest'))
    await expect(propose()).rejects.toMatchObject({ code: 'running' })
    await propose('--from', place.file('served'))
    expect(text('next.previous')).toBe(text('served'))
    expect(parseTrustRoot(formatNote(text('next').slice(0, -1), await signatureOf('next'))).version).toBe(2)
    await expect(publish('next')).rejects.toMatchObject({ code: 'running' })
  })
})

async function signatureOf(file: string): Promise<string[]> {
  await sign(file, 1)
  const lines = text(file).trimEnd().split('\n')
  const line = lines.at(-1)!
  writeFileSync(place.file(file), `${lines.slice(0, -1).join('\n')}\n`)
  return [line]
}

describe('root init', () => {
  it('names people and witnesses', async () => {
    const x = encodeKeyX(signerFromSeed(randomBytes(32)).publicKey)
    const approvers = { keys: [x], threshold: 1 }
    const witness = formatVerifierKey('witness.example/w1', 4, signerFromSeed(randomBytes(32)).publicKey)
    const policy = `witness w1 ${witness} https://witness.example/w1\nquorum w1\n`
    writeFileSync(place.file('people'), JSON.stringify({ approvers }))
    writeFileSync(place.file('policy'), policy)
    await init('--people', place.file('people'), '--policy', place.file('policy'))
    expect(openTrustRoot(text('one'))).toMatchObject({ approvers, policy })
  })

  it('may draft again until the log is begun, with the same keys', async () => {
    await init()
    const { identity } = parseTrustRoot(text('one'))
    await expect(init()).rejects.toMatchObject({ code: 'file-exists' })
    rmSync(place.file('one'))
    await init()
    expect(parseTrustRoot(text('one')).identity).toBe(identity)
    await publish('one')
    rmSync(place.file('one'))
    await expect(init()).rejects.toMatchObject({ code: 'already-started' })
  })

  it('is not for a registry that was started, and no start makes another first root', async () => {
    await init()
    await expect(place.start()).rejects.toMatchObject({ code: 'state-invalid' })
    const other = openPlace()
    try {
      await (await other.start()).stop()
      const again = other.run(initCommand, ['root', 'init', '--out', other.file('one')])
      await expect(again).rejects.toMatchObject({ code: 'already-started' })
    } finally {
      await other.remove()
    }
  })

  it.each([
    [['--root-key', 'example.com/root+00000000+AAAA'], 'root-key-unknown'],
    [['--threshold', '0'], 'number-invalid'],
    [['--policy', 'nowhere'], 'root-file-unusable'],
    [['--people', 'nowhere'], 'root-file-unusable'],
  ])('refuses %j', async (args, code) => {
    await expect(init(...args)).rejects.toMatchObject({ code })
    expect(existsSync(place.file('one'))).toBe(false)
  })

  it('refuses more signatures than keys, one key twice, and a policy that is none', async () => {
    const [vkey = ''] = await makeKeys(1)
    await expect(init('--root-key', vkey, '--threshold', '2')).rejects.toMatchObject({
      code: 'root-malformed',
    })
    await expect(init('--root-key', vkey, '--root-key', vkey)).rejects.toMatchObject({
      code: 'root-malformed',
    })
    writeFileSync(place.file('policy'), 'quorum w9\n')
    await expect(init('--policy', place.file('policy'))).rejects.toMatchObject({ code: 'root-file-unusable' })
  })
})

describe('root key', () => {
  it('makes a key for its owner alone, and never another in its place', async () => {
    const { say } = await place.run(keyCommand, [
      'root',
      'key',
      '--out',
      place.file('k'),
      '--name',
      'holder-1',
    ])
    expect(statSync(place.file('k')).mode & 0o777).toBe(0o600)
    const { key } = await readKey(place.file('k'))
    expect(say).toEqual([formatVerifierKey('holder-1', 1, key.publicKey)])
    const again = place.run(keyCommand, ['root', 'key', '--out', place.file('k'), '--name', 'holder-1'])
    await expect(again).rejects.toMatchObject({ code: 'file-exists' })
  })
})

describe('root propose', () => {
  beforeEach(async () => {
    await begin()
  })

  it('changes what is asked and nothing else, and shows it', async () => {
    const x = encodeKeyX(signerFromSeed(randomBytes(32)).publicKey)
    writeFileSync(place.file('people'), JSON.stringify({ approvers: { keys: [x], threshold: 1 } }))
    const { tell } = await propose(
      '--people',
      place.file('people'),
      '--refresh-seconds',
      '60',
      '--threshold',
      '3',
    )
    const shown = tell.join('\n')
    for (const word of ['approvers', 'refreshSeconds', 'root signatures needed: 2 -> 3'])
      expect(shown).toContain(word)
    expect(shown).not.toContain('maxSeconds')
    const one = bodyOf(openTrustRoot(text('one')))
    const next = bodyOf(parseTrustRoot(formatNote(text('next').slice(0, -1), await signatureOf('next'))))
    expect(next).toEqual({
      ...one,
      approvers: { keys: [x], threshold: 1 },
      freshness: { ...one.freshness, refreshSeconds: 60 },
      threshold: 3,
      expires: next.expires,
    })
  })

  it('takes a role out again with null', async () => {
    const x = encodeKeyX(signerFromSeed(randomBytes(32)).publicKey)
    writeFileSync(place.file('people'), JSON.stringify({ approvers: { keys: [x], threshold: 1 } }))
    await propose('--people', place.file('people'))
    for (const key of [1, 2]) await sign('next', key)
    await publish('next')
    rmSync(place.file('next'))
    rmSync(place.file('next.previous'))
    writeFileSync(place.file('people'), JSON.stringify({ approvers: null }))
    await propose('--people', place.file('people'))
    for (const key of [1, 2]) await sign('next', key)
    expect(openTrustRoot(text('next')).approvers).toBeUndefined()
  })

  it('refuses values that are none, and drafts nothing then', async () => {
    const wrong: [string[], string][] = [
      [['--expires', '0'], 'expires-invalid'],
      [['--expires', '4000'], 'expires-invalid'],
      [['--expires', '2020-01-01'], 'expires-invalid'],
      [['--expires', '2030-02-30'], 'expires-invalid'],
      [['--threshold', '4'], 'threshold-invalid'],
      [['--threshold', 'two'], 'number-invalid'],
      [['--max-seconds', '1.5'], 'number-invalid'],
      [['--max-seconds', '999999999'], 'root-malformed'],
      [['--remove-root-key', 'junk'], 'root-key-unknown'],
      [['--from', '/nowhere/root'], 'file-unusable'],
    ]
    for (const [args, code] of wrong) {
      const from = args[0] === '--from' ? [] : ['--from', place.file('one')]
      await expect(propose(...args, ...from), args.join(' ')).rejects.toMatchObject({ code })
    }
    expect(existsSync(place.file('next'))).toBe(false)
  })

  it('refuses to add a key that is there, and to remove one that is not', async () => {
    const [stranger = ''] = await makeKeys(1, 4)
    const [known = ''] = openTrustRoot(text('one')).rootKeys
    await expect(propose('--add-root-key', known)).rejects.toMatchObject({ code: 'root-key-known' })
    await expect(propose('--remove-root-key', stranger)).rejects.toMatchObject({ code: 'root-key-unknown' })
  })
})

describe('root sign', () => {
  it('asks first, signs once, and counts both sides', async () => {
    const vkeys = await begin()
    const [added = ''] = await makeKeys(1, 4)
    await propose('--add-root-key', added, '--remove-root-key', vkeys[0]!)
    const before = text('next')
    const file = place.file('next')
    const refused = place.run(signCommand, ['root', 'sign', file, '--key', place.file('key-2')], {
      refuses: true,
    })
    await expect(refused).rejects.toMatchObject({ code: 'not-agreed' })
    expect(text('next')).toBe(before)

    // The old key signs for the old side, the new one for the new side, the middle one for both.
    expect((await sign('next', 4)).say.map(counts)).toEqual(['0 of 2', '1 of 2'])
    expect((await sign('next', 2)).say.map(counts)).toEqual(['1 of 2', '2 of 2'])
    const once = text('next')
    expect((await sign('next', 2)).asked).toEqual([])
    expect(text('next')).toBe(once)
    expect((await sign('next', 1)).say.map(counts)).toEqual(['2 of 2', '2 of 2'])
    openTrustRoot(text('next'), openTrustRoot(text('one')))
    const shown = await place.run(showCommand, ['root', 'show', file])
    expect(shown.say.join('\n')).toContain('+ root key')
  })

  const counts = (line: string): string => /\d of \d/.exec(line)?.[0] ?? line

  it('refuses a stranger’s key, a draft that is none, and a version before it that is not', async () => {
    await begin()
    await makeKeys(1, 4)
    await propose()
    await expect(sign('next', 4)).rejects.toMatchObject({ code: 'root-key-unknown' })
    writeFileSync(place.file('junk'), text('next').replace('"threshold":2', '"threshold":9'))
    await expect(sign('junk', 1)).rejects.toMatchObject({ code: 'root-malformed' })
    await expect(sign('nowhere', 1)).rejects.toMatchObject({ code: 'file-unusable' })
    const bare = place.file('bare')
    writeFileSync(bare, text('next'))
    await expect(sign('bare', 1)).rejects.toMatchObject({ code: 'previous-invalid' })
    for (const previous of ['next', 'other']) {
      writeFileSync(place.file('other'), text('one').replace(/\n— example.com\/root-2 [^\n]*/, ''))
      await expect(sign('bare', 1, '--previous', place.file(previous))).rejects.toMatchObject({
        code: 'previous-invalid',
      })
    }
    await sign('bare', 1, '--previous', place.file('one'))
  })

  it('shows what a hostile draft carries without acting on it', async () => {
    const evil = signRoot(
      {
        identity: 'tools.example',
        version: 1,
        body: {
          ...bodyOf(openTrustRoot(await soloRoot())),
          policy: '# \u009b2J\u202e\nquorum none\n',
        },
      },
      [await soloSigner()],
    )
    writeFileSync(place.file('evil'), evil)
    const { say } = await place.run(showCommand, ['root', 'show', place.file('evil')])
    expect(say.join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]/)
    expect(say.join('\n')).toContain('\\u{9b}')
  })

  async function soloRoot(): Promise<string> {
    await init('--identity', 'tools.example')
    return text('one')
  }

  async function soloSigner() {
    const { key, signer } = await readKey(join(place.config.dataDir, 'keys', 'root.key'))
    return noteSigner(key.name, signer)
  }
})

describe('publishing a root', () => {
  it.each([
    [
      'of another registry',
      (note: string) => note.replace('tools.example\n', 'other.example\n'),
      'root-unsigned',
    ],
    ['cut short', (note: string) => note.slice(0, -20), 'note-malformed'],
    ['that is nothing', () => 'junk\n', 'note-malformed'],
  ])('refuses a first root %s', async (_, change, reason) => {
    const vkeys = await makeKeys(1)
    await init(...named(vkeys), '--identity', 'tools.example')
    await sign('one', 1)
    writeFileSync(place.file('bad'), change(text('one')))
    await expect(publish('bad')).rejects.toMatchObject({ code: 'root-invalid', detail: { reason } })
    await publish('one')
  })

  it('refuses a first root that names somebody else’s log key', async () => {
    await init()
    const other = openPlace()
    try {
      await other.run(initCommand, ['root', 'init', '--out', other.file('one')])
      writeFileSync(place.file('foreign'), readFileSync(other.file('one')))
      await expect(publish('foreign')).rejects.toMatchObject({
        code: 'root-invalid',
        detail: { reason: 'other-registry' },
      })
    } finally {
      await other.remove()
    }
  })

  it('refuses each wrong next root with its reason, over HTTP and with the registry stopped', async () => {
    await init('--identity', 'tools.example')
    await publish('one')
    const current = openTrustRoot(text('one'))
    const own = await readKey(join(place.config.dataDir, 'keys', 'root.key'))
    const signer = noteSigner(own.key.name, own.signer)
    const [stranger = ''] = await makeKeys(1)
    const held = await readKey(place.file('key-1'))
    const body = bodyOf(current)
    const next = (change: object, version = 2): string =>
      signRoot({ identity: 'tools.example', version, body: { ...body, ...change } }, [signer])
    const strangers = signRoot(
      { identity: 'tools.example', version: 2, body: { ...body, rootKeys: [stranger] } },
      [noteSigner(held.key.name, held.signer)],
    )
    const otherKey = formatVerifierKey(
      'tools.example/timestamper',
      4,
      signerFromSeed(randomBytes(32)).publicKey,
    )
    const otherLog = formatVerifierKey('tools.example/log-2', 1, signerFromSeed(randomBytes(32)).publicKey)
    const [log] = body.logs
    const frozen = { ...log, status: 'frozen', final: { size: 1, root: Buffer.alloc(32).toString('base64') } }
    const logs = [frozen, { origin: 'tools.example/log-2', vkey: otherLog, status: 'active' }]
    const bad: [string, string, string][] = [
      [strangers, 'root-invalid', 'root-unsigned'],
      [next({}, 3), 'root-invalid', 'root-malformed'],
      [next({ expires: formatTime(Date.now() / 1000 - 60) }), 'root-invalid', 'root-expired'],
      [next({ timestamper: otherKey }), 'root-invalid', 'timestamper-changed'],
      [next({ logs }), 'root-invalid', 'logs-changed'],
      [text('one'), 'root-conflict', ''],
    ]
    for (const [note, code, reason] of bad) {
      writeFileSync(place.file('bad'), note)
      const detail = code === 'root-invalid' ? { reason } : { version: 1 }
      await expect(publish('bad')).rejects.toMatchObject({ code, detail })
    }
    const at = await place.start()
    for (const [note, code, reason] of bad) {
      const reply = await postRoot(at, note)
      expect([reply.status, reply.body.code]).toEqual([code === 'root-conflict' ? 409 : 422, code])
      if (code === 'root-invalid') expect(reply.body['explanation']).toMatchObject({ reason })
    }
    expect((await postRoot(at, 'x'.repeat(300_000))).status).toBe(413)
    expect((await send(at.url, 'POST', '/v1/admin/roots', { body: next({}) })).status).toBe(401)
    // Two good ones at once: one of them is the next version, the other one comes too late.
    const both = await Promise.all([
      postRoot(at, next({ threshold: 1 })),
      postRoot(at, next({ expires: '2030-01-01T00:00:00Z' })),
    ])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    expect(both.find(({ status }) => status === 409)?.body.code).toBe('root-conflict')
  })

  it('asks the witnesses that a root names, unless it is forced', async () => {
    await init()
    await publish('one')
    const witness = formatVerifierKey('witness.example/w1', 4, signerFromSeed(randomBytes(32)).publicKey)
    writeFileSync(place.file('policy'), `witness w1 ${witness} http://127.0.0.1:9/\nquorum w1\n`)
    await propose('--policy', place.file('policy'))
    await place.run(signCommand, ['root', 'sign', place.file('next')])
    const at = await place.start({ publishWaitMs: 50, witnessTimeoutMs: 200 })
    const refused = await postRoot(at, text('next'))
    expect([refused.status, refused.body.code]).toEqual([409, 'quorum-not-met'])
    expect(parseTrustRoot(await fetchText(at, '/v1/root/latest')).version).toBe(1)
    const forced = await postRoot(at, text('next'), '?force=true')
    expect([forced.status, forced.body['published']]).toEqual([202, false])
    // Nobody is shown what the quorum has not seen.
    expect(parseTrustRoot(await fetchText(at, '/v1/root/latest')).version).toBe(1)
  })
})
