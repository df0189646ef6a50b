import type { RequestHandler, Response } from 'express'
import { makeDocument, type Document } from '../static/document.js'
import { sendDocument } from '../static/send.js'

/** Bytes that are the same for everybody until the process starts again. */
export interface Finished {
  readonly body: Buffer
  readonly type: string
}

/** Made at the first request, since most processes are never asked; its tag is strong, so nobody may re-encode it. */
export function serve(
  route: string,
  make: () => Finished | Promise<Finished>,
  head?: (res: Response) => void,
): RequestHandler {
  let made: Promise<Document> | undefined
  return async (req, res) => {
    made ??= document(route, make)
    // What failed is tried again by the next one who asks.
    made.catch(() => (made = undefined))
    const found = await made
    head?.(res)
    sendDocument(req, res, found)
  }
}

async function document(route: string, make: () => Finished | Promise<Finished>): Promise<Document> {
  const { body, type } = await make()
  return makeDocument(body, { route, type, cache: 'no-cache, no-transform', compress: true })
}
