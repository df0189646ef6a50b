import { describe, expect, it } from 'vitest'
import type { TrustedPublisherRow, WebhookRow } from '../../src/storage/store.js'
import { freshStore, START, type StoreFactory } from './contract-support.js'

const publisher: TrustedPublisherRow = {
  id: 't1',
  namespace: 'com.example',
  issuer: 'https://token.actions.githubusercontent.com',
  claims: { repository_id: '42', workflow_ref: 'o/r/.github/workflows/release.yml@*' },
  account: 'author',
  by: 'admin',
  createdAt: START,
}
const webhook: WebhookRow = {
  id: 'w1',
  url: 'https://hooks.example.com/1',
  events: ['approve'],
  account: 'author',
  cursor: 0,
  failures: 0,
  nextAt: START,
  disabled: false,
  createdAt: START,
}

/** Trusted publishers, what is said once, and webhooks. */
export function machinesContract(name: string, open: StoreFactory): void {
  describe(`store contract: ${name}: machines`, () => {
    const at = freshStore(open)
    const { store } = at
    const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id)

    it('keeps trusted publishers, each once, until they are taken away', async () => {
      const ofServer = { ...publisher, id: 't2', server: 'com.example/weather' }
      await store().createTrustedPublisher(publisher)
      await store().createTrustedPublisher(ofServer)
      const again = store().createTrustedPublisher({ ...publisher, namespace: 'com.other' })
      await expect(again).rejects.toMatchObject({ code: 'duplicate' })
      expect(await store().readTrustedPublisher('t1')).toEqual(publisher)
      expect(await store().readTrustedPublisher('t2')).toEqual(ofServer)
      expect(await store().deleteTrustedPublisher('t1')).toBe(true)
      expect(await store().deleteTrustedPublisher('t1')).toBe(false)
      expect(await store().readTrustedPublisher('t1')).toBeUndefined()
    })

    it('lists trusted publishers by namespace, issuer and page', async () => {
      const rows = [
        publisher,
        { ...publisher, id: 't2', issuer: 'https://gitlab.com' },
        { ...publisher, id: 't3', namespace: 'com.other' },
      ]
      for (const row of rows.toReversed()) await store().createTrustedPublisher(row)
      const list = async (filter: { namespace?: string; issuer?: string }, limit = 9, after?: string) =>
        ids(await store().listTrustedPublishers(filter, limit, after))
      expect(await list({})).toEqual(['t1', 't2', 't3'])
      expect(await list({}, 2)).toEqual(['t1', 't2'])
      expect(await list({}, 2, 't2')).toEqual(['t3'])
      expect(await list({ namespace: 'com.example' })).toEqual(['t1', 't2'])
      expect(await list({ issuer: publisher.issuer })).toEqual(['t1', 't3'])
      expect(await list({ namespace: 'com.other', issuer: 'https://gitlab.com' })).toEqual([])
    })

    it('lets a value of a kind be used once, however many try at once', async () => {
      const end = START / 1000 + 60
      const all = await Promise.all([1, 2, 3].map(() => store().useOnce('dpop', 'j1', end)))
      expect(all.filter(Boolean)).toHaveLength(1)
      expect(await store().useOnce('dpop', 'j2', end)).toBe(true)
      expect(await store().useOnce('subject-token', 'j1', end)).toBe(true)
      at.clock = START + 59_999
      expect(await store().useOnce('dpop', 'j1', end + 60)).toBe(false)
    })

    it('takes nothing that has expired, and remembers no longer than it must', async () => {
      const end = START / 1000 + 60
      expect(await store().useOnce('dpop', 'late', START / 1000)).toBe(false)
      expect(await store().useOnce('dpop', 'j1', end)).toBe(true)
      at.clock = START + 60_000
      expect(await store().useOnce('dpop', 'j1', end)).toBe(false)
      // What it was used for expired, so another thing of that name is another thing.
      expect(await store().useOnce('dpop', 'j1', end + 60)).toBe(true)
    })

    it('keeps webhooks, each once, until they are taken away', async () => {
      const ofNamespace = { ...webhook, id: 'w2', namespace: 'com.example', account: 'outsider' }
      await store().createWebhook(webhook)
      await store().createWebhook(ofNamespace)
      await expect(store().createWebhook(webhook)).rejects.toMatchObject({ code: 'duplicate' })
      expect(await store().readWebhook('w1')).toEqual(webhook)
      const list = async (filter: { namespace?: string; account?: string }, limit = 9, after?: string) =>
        ids(await store().listWebhooks(filter, limit, after))
      expect(await list({})).toEqual(['w1', 'w2'])
      expect(await list({}, 1)).toEqual(['w1'])
      expect(await list({}, 1, 'w1')).toEqual(['w2'])
      expect(await list({ namespace: 'com.example' })).toEqual(['w2'])
      expect(await list({ account: 'author' })).toEqual(['w1'])
      expect(await store().deleteWebhook('w1')).toBe(true)
      expect(await store().deleteWebhook('w1')).toBe(false)
      expect(await store().readWebhook('w1')).toBeUndefined()
    })

    it('changes of a webhook what is said to change', async () => {
      await store().createWebhook(webhook)
      const change = { cursor: 3, failures: 2, nextAt: START + 5, disabled: true }
      expect(await store().updateWebhook('w1', change)).toBe(true)
      expect(await store().readWebhook('w1')).toEqual({ ...webhook, ...change })
      expect(await store().updateWebhook('w1', { failures: 0 })).toBe(true)
      expect(await store().readWebhook('w1')).toEqual({ ...webhook, ...change, failures: 0 })
      expect(await store().updateWebhook('w9', { failures: 0 })).toBe(false)
    })

    it('tells which webhooks have something to deliver, and are enabled, and may be tried', async () => {
      const claim = async (now: number, until: number, limit = 9) =>
        (await store().claimDueWebhooks(now, limit, until)).map(({ id }) => id)
      await store().createWebhook(webhook)
      expect(await claim(START, START + 9)).toEqual([])
      const record = { at: 1, account: 'author', action: 'approve', target: 'x', detail: '{}' }
      await store().addAuditRecord(record)
      const newest = (await store().readAudit(1))[0]!.id
      await store().createWebhook({ ...webhook, id: 'w2', nextAt: START - 1 })
      await store().createWebhook({ ...webhook, id: 'w3', disabled: true })
      await store().createWebhook({ ...webhook, id: 'w4', cursor: newest })
      await store().createWebhook({ ...webhook, id: 'w5', nextAt: START + 1 })
      expect(await claim(START, START + 9, 1)).toEqual(['w2'])
      expect(await claim(START, START + 9)).toEqual(['w1'])
      expect(await claim(START, START + 9)).toEqual([])
      expect(await store().readWebhook('w1')).toMatchObject({ nextAt: START + 9, failures: 0 })
      expect(await claim(START + 1, START + 9)).toEqual(['w5'])
      await store().updateWebhook('w2', { cursor: newest })
      expect(await claim(START + 9, START + 99)).toEqual(['w1', 'w5'])
      await store().addAuditRecord(record)
      expect(await claim(START + 9, START + 19)).toEqual(['w4', 'w2'])
    })
  })
}
