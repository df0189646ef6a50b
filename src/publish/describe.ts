import { setImmediate as breathe } from 'node:timers/promises'
import { CATALOGUE_DESCRIBED } from '../storage/store/catalogue.js'
import type { Store, Undescribed } from '../storage/store.js'

export interface Descriptions {
  /** Resolves when it is done, or has given up until the next start. */
  readonly done: Promise<void>
  /** Resolves when the row under way is done. */
  close(): Promise<void>
}

export interface DescriptionOptions {
  readonly store: Pick<Store, 'readUndescribed' | 'describeManifest' | 'keepFact'>
  readonly log: { error(fields: { err: unknown }, message: string): void }
}

/** Envelopes that are in memory at once; the largest has some MiB. */
const BATCH = 8

/**
 * Gives manifests from before their titles and descriptions were kept what catalogues search, a few at a time beside
 * everything else, once in the life of a database. Until then they are found by their names alone.
 */
export function openDescriptions({ store, log }: DescriptionOptions): Descriptions {
  let closed = false
  const run = async (): Promise<void> => {
    let rows = await store.readUndescribed(BATCH)
    while (rows.length > 0) {
      for (const row of rows) {
        if (closed) return
        await describe(store, row)
        await breathe()
      }
      rows = await store.readUndescribed(BATCH, rows.at(-1)?.manifest)
    }
    await store.keepFact(CATALOGUE_DESCRIBED, 'yes')
  }
  const done = run().catch((err: unknown) => {
    // What could not be done is for the next start: nothing depends on it but who searches.
    if (!closed) log.error({ err }, 'older manifests could not be given their titles')
  })
  return {
    done,
    async close() {
      closed = true
      await done
    },
  }
}

async function describe(
  store: DescriptionOptions['store'],
  { manifest, envelope }: Undescribed,
): Promise<void> {
  // Its signature was verified and its payload parsed strictly before it was stored.
  const payload = Buffer.from(envelope.split('.')[1] ?? '', 'base64url').toString('utf8')
  const { title, description } = JSON.parse(payload) as { title?: string; description?: string }
  if (title === undefined && description === undefined) return
  await store.describeManifest(manifest, {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
  })
}
