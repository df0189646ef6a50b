import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { readKey } from '../../src/log/keys.js'
import { vkeyOf } from '../../src/log/root.js'
import { keyCommand, showCommand, signCommand } from '../../src/registry/commands/root-papers.js'
import { initCommand, proposeCommand, publishCommand } from '../../src/registry/commands/root.js'
import { serveCommand } from '../../src/registry/commands/serve.js'
import { fsckCommand, recoverCommand, resetPasswordCommand } from '../../src/registry/commands/upkeep.js'
import { isKnownError } from '../../src/registry/known-errors.js'
import { readNewestRoot } from '../../src/log/root-notes.js'
import { makeRootKey } from '../../src/registry/root/key.js'
import { openSqliteStore } from '../../src/storage/sqlite.js'
import { openPlace, type Place } from './support.js'

// What an operator does in a hurry: the wrong folder, the wrong file, twice, half.

/** Once started and stopped, with its root key at hand. */
let alone: Place
/** Begun with an offline root key, `key`. */
let offline: Place
let place: Place
beforeAll(async () => {
  alone = openPlace()
  await (await alone.start()).stop()
  offline = openPlace()
  const vkey = await makeRootKey(offline.file('key'), 'example.com/root-1')
  await offline.run(initCommand, ['root', 'init', '--root-key', vkey, '--out', offline.file('one')])
  await offline.run(signCommand, ['root', 'sign', offline.file('one'), '--key', offline.file('key')])
  await offline.run(publishCommand, ['root', 'publish', offline.file('one')])
})
beforeEach(() => {
  place = openPlace(alone)
})
afterEach(() => place.remove())
afterAll(async () => {
  await alone.remove()
  await offline.remove()
})

const database = (): string => join(place.config.dataDir, 'registry.sqlite')
const journal = (name: string): string => join(place.config.dataDir, 'recovery', name)
const recover = (...args: string[]) => place.run(recoverCommand, ['recover', ...args])
const sign = (file: string, ...args: string[]) =>
  place.run(signCommand, ['root', 'sign', place.file(file), ...args])

/** Another version of the root in the log, by the key at hand; its file. */
async function renew(name: string): Promise<string> {
  const file = place.file(name)
  await place.run(proposeCommand, ['root', 'propose', '--out', file])
  await sign(name)
  await place.run(publishCommand, ['root', 'publish', file])
  return file
}

function backUp(name: string): string {
  const file = place.file(name)
  copyFileSync(database(), file)
  return file
}

async function newestRoot() {
  const store = await openSqliteStore(database())
  return readNewestRoot(store).finally(() => store.close())
}

async function toOffline(): Promise<void> {
  await place.remove()
  place = openPlace(offline)
}

describe('a command in the wrong folder', () => {
  it('says so and makes nothing', async () => {
    const empty = openPlace()
    try {
      writeFileSync(empty.file('root'), readFileSync(offline.file('one')))
      const calls = [
        () => empty.run(fsckCommand, ['fsck']),
        () => empty.run(resetPasswordCommand, ['reset-password']),
        () => empty.run(proposeCommand, ['root', 'propose', '--out', empty.file('next')]),
        () => empty.run(publishCommand, ['root', 'publish', empty.file('root')]),
      ]
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'not-started' })
      expect(existsSync(empty.config.dataDir)).toBe(false)
    } finally {
      await empty.remove()
    }
  })
})

describe('recover --from', () => {
  it('asks before anything is moved, and says first what is lost', async () => {
    const backup = backUp('backup')
    await renew('two')
    const untouched = readFileSync(database())
    const asked = place.run(recoverCommand, ['recover', '--from', backup], { refuses: true })
    await expect(asked).rejects.toMatchObject({ code: 'not-agreed' })
    expect(readFileSync(database()).equals(untouched)).toBe(true)
    expect(existsSync(journal('source.json'))).toBe(false)
    expect(existsSync(`${database()}.incoming`)).toBe(false)
    const said = await recover('--from', backup)
    expect(said.asked).toHaveLength(1)
    expect(said.tell.filter((line) => line.startsWith('!'))).toHaveLength(1)
  })

  it('keeps a database that others could read as a backup to its owner', async () => {
    const backup = backUp('backup')
    chmodSync(backup, 0o644)
    await recover('--from', backup)
    expect(statSync(database()).mode & 0o777).toBe(0o600)
  })

  it('takes a newer backup that is found before the signatures are', async () => {
    await toOffline()
    const older = backUp('older')
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('two')])
    await sign('two', '--key', place.file('key'))
    await place.run(publishCommand, ['root', 'publish', place.file('two')])
    const newer = backUp('newer')
    await expect(recover('--from', older, '--out', place.file('draft'))).rejects.toMatchObject({
      code: 'recovery-unsigned',
    })
    await sign('draft', '--key', place.file('key'))
    await expect(recover('--from', newer, '--out', place.file('better'))).rejects.toMatchObject({
      code: 'recovery-unsigned',
    })
    await sign('better', '--key', place.file('key'))
    await expect(recover('--root', place.file('draft'))).rejects.toMatchObject({ code: 'recovery-mismatch' })
    await recover('--root', place.file('better'))
    expect((await newestRoot()).logs[0]).toMatchObject({ status: 'frozen', final: { size: 4 } })
  })
})

describe('recover --known-root', () => {
  it('may be given again, in any order, after one that did not fit', async () => {
    const backup = backUp('backup')
    const [two, three] = [await renew('two'), await renew('three')]
    rmSync(database())
    await expect(recover('--from', backup, '--known-root', three)).rejects.toMatchObject({
      code: 'root-invalid',
    })
    await recover('--from', backup, '--known-root', three, '--known-root', two)
    expect((await newestRoot()).version).toBe(4)
  })
})

describe('a recovery that is not finished', () => {
  it('keeps the registry from starting, and says what to run', async () => {
    await toOffline()
    await expect(recover()).rejects.toMatchObject({ code: 'recovery-unsigned' })
    await expect(place.run(serveCommand, ['serve'])).rejects.toMatchObject({
      code: 'recovery-begun',
      message: expect.stringContaining('countersign-registry recover') as string,
    })
  })

  it('lets no root into the log that it cuts off', async () => {
    await toOffline()
    await place.run(proposeCommand, ['root', 'propose', '--out', place.file('two')])
    await sign('two', '--key', place.file('key'))
    await expect(recover()).rejects.toMatchObject({ code: 'recovery-unsigned' })
    const publish = place.run(publishCommand, ['root', 'publish', place.file('two')])
    await expect(publish).rejects.toMatchObject({ code: 'recovery-begun' })
    expect((await newestRoot()).version).toBe(1)
  })

  it('is finished by the next run also when only its folder was left', async () => {
    await recover()
    mkdirSync(journal('.'))
    writeFileSync(journal('roots.json'), '[]')
    await recover()
    expect(existsSync(journal('.'))).toBe(false)
  })

  it('uses the draft that was signed where it lies', async () => {
    await toOffline()
    const draft = join(place.config.dataDir, 'recovery-root-2.note')
    await expect(recover()).rejects.toMatchObject({ code: 'recovery-unsigned' })
    const signed = await place.run(signCommand, ['root', 'sign', draft, '--key', place.file('key')])
    expect(signed.tell.at(-1)).toContain('countersign-registry recover')
    await recover()
    expect((await newestRoot()).version).toBe(2)
    // The next one has another name.
    const at = await place.start()
    await at.stop()
    await expect(recover()).rejects.toMatchObject({ code: 'recovery-unsigned' })
  })

  it('never makes another key than the one that the root names', async () => {
    const elsewhere = place.file('keys-elsewhere')
    Object.assign(place.secrets, { logKeyFile: elsewhere })
    // Died between its transaction and the end.
    rmSync(join(place.config.dataDir, 'keys', 'log.key'))
    writeFileSync(join(place.config.dataDir, 'replaced'), 'no folder')
    await expect(recover()).rejects.toMatchObject({ code: 'ENOTDIR' })
    rmSync(join(place.config.dataDir, 'replaced'))
    Object.assign(place.secrets, { logKeyFile: undefined })
    await expect(recover()).rejects.toMatchObject({ code: 'recovery-mismatch' })
    expect(existsSync(join(place.config.dataDir, 'keys', 'log.key'))).toBe(false)
    Object.assign(place.secrets, { logKeyFile: elsewhere })
    const { say } = await recover()
    expect(say.at(-1)).toBe(vkeyOf((await readKey(elsewhere)).key))
    await (await place.start()).stop()
  })
})

describe('recover as another user than the registry runs as', () => {
  it('warns before it writes what the registry could not read', async () => {
    const other = statSync(join(place.config.dataDir, 'keys')).uid + 1
    vi.spyOn(process, 'getuid').mockReturnValue(other)
    try {
      const { tell, asked } = await recover()
      expect(asked).toHaveLength(1)
      expect(tell.filter((line) => line.startsWith('!'))).toHaveLength(1)
    } finally {
      vi.restoreAllMocks()
    }
  })
})

describe('recover of a log that nothing is wrong with', () => {
  it('says so before it asks', async () => {
    const { tell, asked } = await recover()
    expect(asked).toHaveLength(1)
    expect(tell.filter((line) => line.includes('nothing to recover'))).toHaveLength(1)
  })
})

describe('what an operator mistypes', () => {
  it('is told in a sentence', async () => {
    mkdirSync(place.file('folder'))
    const calls = [
      () => place.run(keyCommand, ['root', 'key', '--name', 'two words', '--out', place.file('k')]),
      () =>
        place.run(keyCommand, ['root', 'key', '--name', 'example.com/a', '--out', place.file('nowhere/k')]),
      () => place.run(showCommand, ['root', 'show', place.file('folder')]),
      () => place.run(recoverCommand, ['recover', '--from', place.file('folder')]),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(isKnownError(error), String(error)).toBe(true)
    }
    expect(existsSync(place.file('k'))).toBe(false)
    for (const code of ['ENOSPC', 'EROFS', 'EISDIR']) {
      expect(isKnownError(Object.assign(new Error(code), { code, syscall: 'write' }))).toBe(true)
    }
    expect(isKnownError(new TypeError('a defect'))).toBe(false)
  })

  it('is no threshold that nobody looks at', async () => {
    const empty = openPlace()
    const call = empty.run(initCommand, ['root', 'init', '--threshold', '2', '--out', empty.file('one')])
    await expect(call).rejects.toMatchObject({ code: 'threshold-invalid' })
    expect(existsSync(empty.config.dataDir)).toBe(false)
    await empty.remove()
  })

  it('is no limit under which every answer is stale', async () => {
    const propose = (name: string, ...args: string[]) =>
      place.run(proposeCommand, ['root', 'propose', '--out', place.file(name), ...args])
    for (const args of [
      ['--max-seconds', '300'],
      ['--refresh-seconds', '86400'],
    ])
      await expect(propose('bad', ...args)).rejects.toMatchObject({ code: 'freshness-invalid' })
    expect(existsSync(place.file('bad'))).toBe(false)
    await propose('good', '--max-seconds', '900', '--refresh-seconds', '60')
  })
})

describe('root propose', () => {
  it('may be tried again, and leaves nothing where it fails', async () => {
    const file = place.file('two')
    const propose = () => place.run(proposeCommand, ['root', 'propose', '--out', file])
    await propose()
    rmSync(file)
    await propose()
    rmSync(`${file}.previous`)
    await expect(propose()).rejects.toMatchObject({ code: 'file-exists' })
    expect(existsSync(`${file}.previous`)).toBe(false)
  })
})

describe('what a signer is shown', () => {
  it('are names with every letter that could be taken for another one made visible', async () => {
    const vkey = await makeRootKey(place.file('k'), 'ex\u0430mple.com/root')
    const said = await place.run(proposeCommand, [
      ...['root', 'propose', '--out', place.file('two'), '--add-root-key', vkey],
    ])
    expect(said.tell.join()).toContain('ex\\u{430}mple.com/root')
    expect(said.tell.join()).not.toContain('\u0430')
  })

  it('is the next step: the first root goes to a registry that does not run', async () => {
    const empty = openPlace()
    const vkey = await makeRootKey(empty.file('key'), 'example.com/root-1')
    await empty.run(initCommand, ['root', 'init', '--root-key', vkey, '--out', empty.file('one')])
    const said = await empty.run(signCommand, ['root', 'sign', empty.file('one'), '--key', empty.file('key')])
    expect(said.tell.at(-1)).toContain('countersign-registry root publish')
    expect(said.tell.at(-1)).not.toContain('admin')
    await empty.remove()
  })
})
