import { request, type IncomingHttpHeaders } from 'node:http'

export interface RawReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** As they came: nothing unpacked. */
  readonly bytes: Buffer
}

/** One request whose headers are exactly these: `fetch` asks for compressed answers and unpacks them. */
export function rawGet(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    request(url, { path, headers, method, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.once('error', reject)
      res.once('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes: Buffer.concat(chunks) }),
      )
    })
      .once('error', reject)
      .end()
  })
}
