import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { PageRefused } from './refused.js'

/**
 * Forms of other sites are refused by three facts that they cannot all have: a cookie that only this origin can set and
 * that is not sent along from elsewhere, a token made with that cookie for this one form, and what the browser itself
 * says about where the form stood. The cookie is the key, so that no process has to remember anything.
 */
export interface Csrf {
  /** The browser's cookie, or a new one to be set. */
  cookieFor(req: IncomingMessage): { readonly value: string; readonly set?: string }
  token(cookie: string, action: string): string
  /** Throws PageRefused. */
  assert(req: IncomingMessage, action: string, token: string): void
}

const COOKIE = /^[A-Za-z0-9_-]{43}$/
const TOKEN = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/

export function openCsrf(publicUrl: string): Csrf {
  const { origin, protocol } = new URL(publicUrl)
  const secure = protocol === 'https:'
  // The prefix is for `Secure` cookies alone, and plain http is for loopback alone.
  const name = secure ? '__Host-countersign-form' : 'countersign-form'
  const attributes = `; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
  return {
    cookieFor(req) {
      const value = readCookie(req, name)
      if (value !== undefined) return { value }
      const fresh = randomBytes(32).toString('base64url')
      return { value: fresh, set: `${name}=${fresh}${attributes}` }
    },
    token(cookie, action) {
      const nonce = randomBytes(16).toString('base64url')
      return `${nonce}.${mac(cookie, action, nonce)}`
    },
    assert(req, action, token) {
      assertOrigin(req, origin)
      const cookie = readCookie(req, name)
      if (cookie === undefined) throw new PageRefused('form-refused', 'the cookie of the form is missing')
      const [, nonce, given] = TOKEN.exec(token) ?? []
      if (nonce === undefined || given === undefined) {
        throw new PageRefused('form-refused', 'the field csrf is missing or malformed')
      }
      if (!timingSafeEqual(Buffer.from(given), Buffer.from(mac(cookie, action, nonce)))) {
        throw new PageRefused('form-refused', 'the field csrf does not belong to this form and browser')
      }
    },
  }
}

function mac(cookie: string, action: string, nonce: string): string {
  return createHmac('sha256', cookie).update(`${action}\n${nonce}`).digest('base64url')
}

/** Every browser says at least one of both with a form; whoever says neither is none. */
function assertOrigin(req: IncomingMessage, expected: string): void {
  const { origin, 'sec-fetch-site': site } = req.headers
  if (site !== undefined && site !== 'same-origin') {
    throw new PageRefused('form-refused', 'the header Sec-Fetch-Site must be same-origin')
  }
  if (origin !== undefined && origin !== expected) {
    throw new PageRefused('form-refused', `the header Origin must be ${expected}`)
  }
  if (origin === undefined && site === undefined) {
    throw new PageRefused('form-refused', 'the headers Origin and Sec-Fetch-Site are both missing')
  }
}

/** Undefined also when it is there twice: one of them was planted. */
function readCookie(req: IncomingMessage, name: string): string | undefined {
  const values = (req.headers.cookie ?? '').split(';').flatMap((pair) => {
    const at = pair.indexOf('=')
    return at > 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : []
  })
  const [value] = values
  return values.length === 1 && value !== undefined && COOKIE.test(value) ? value : undefined
}
