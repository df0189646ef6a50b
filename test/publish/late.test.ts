import { expect, it } from 'vitest'
import { publish } from '../../src/publish/publish.js'
import { listServers } from '../../src/publish/catalogue.js'
import { openDesk, PUBLISHER } from '../review/support.js'
import { signManifest } from '../support/registry.js'

it('lists no server for an approval that is committed, and known to nobody but the database', async () => {
  const desk = await openDesk()
  const author = await desk.person('author', PUBLISHER)
  await desk.person('reviewer')
  const key = await desk.namespace('com.example', 'author')
  const { manifest } = await desk.publish(author, key, desk.manifest('com.example/weather'))
  const { ledger } = desk.context
  const size = ledger.publishedSize()
  await desk.approve('reviewer', manifest)
  // As it is between the commit and the moment at which the log may show it.
  const early = {
    ...ledger,
    publishedSize: () => size,
    committed: () => ({ size, note: '' }),
    isPublished: (position: number) => position < size,
  }
  const query = { limit: 10 }
  expect((await listServers({ ...desk.context, ledger: early }, query)).servers).toEqual([])
  expect((await listServers(desk.context, query)).servers).toEqual([{ server: 'com.example/weather' }])
  await desk.close()
})

it('answers what stands and waits for the witnesses, whatever would be said of it today', async () => {
  const desk = await openDesk()
  const author = await desk.person('author', PUBLISHER)
  const key = await desk.namespace('com.example', 'author')
  const expires = '2100-01-01T00:00:00Z'
  const envelope = signManifest(desk.manifest('com.example/weather', { expires }), key)
  const first = await publish(desk.context, author, envelope)
  expect(first.created).toBe(true)
  const { ledger } = desk.context
  const size = ledger.committed().size
  const late = { ...ledger, isPublished: () => false }
  const context = { ...desk.context, ledger: late, now: () => Date.parse(expires) + 1 }
  expect(await publish(context, author, envelope)).toMatchObject({ created: false, index: first.index })
  expect(ledger.committed().size).toBe(size)
  const other = signManifest(desk.manifest('com.example/weather', { expires, version: '2.0.0' }), key)
  await expect(publish(context, author, other)).rejects.toMatchObject({ code: 'expired' })
  await desk.close()
})
