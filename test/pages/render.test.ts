import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  consentPage,
  deviceConfirmPage,
  deviceDonePage,
  deviceInputPage,
  donePage,
  errorPage,
  invitationPage,
  lockedPage,
  loginPage,
  pageHeaders,
  passwordPage,
  recoverPage,
} from '../../src/auth/pages/index.js'
import { SCOPES } from '../../src/auth/scopes.js'

const XSRF = 'ab'.repeat(24)
/** As the authorization server writes it: an input without a label and an inline script. */
const PROVIDER_FORM = `<form id="op.deviceInputForm" novalidate method="post" action="https://r.example/device?a=1&amp;b=2">
  <input type="hidden" name="xsrf" value="${XSRF}"/>
  <input type="text" name="user_code" placeholder="Enter code" onfocus="this.select()" autofocus></input>
  </form>`

/** Every page, with one foreign text in every place that takes one. */
function everyPage(text: string): readonly (readonly [name: string, page: string])[] {
  const form = { action: '/login/a', csrf: 'token', registry: text }
  const problems = [{ field: 'login', text }, { text }]
  const typed = { ...form, login: text, problems, back: text }
  const device = { form: PROVIDER_FORM, registry: text, clientName: text }
  const consent = { ...form, abort: text, abortCsrf: text, clientName: text, redirectHost: text, login: text }
  return [
    ['login', loginPage({ ...form, clientName: text, login: text, problems, ways: ways(text) })],
    ['locked', lockedPage({ retryAfter: 840, again: text, recovery: text, registry: text })],
    ['consent', consentPage({ ...consent, scopes: [...SCOPES, text] })],
    ['device input', deviceInputPage({ form: PROVIDER_FORM, registry: text, problem: text })],
    [
      'device confirm',
      deviceConfirmPage({ ...device, userCode: text, scopes: [text], address: text, agent: text }),
    ],
    ['device done', deviceDonePage({ clientName: text, registry: text })],
    ['error', errorPage({ code: text, detail: text, registry: text, traceId: text, again: text })],
    ['password', passwordPage(typed)],
    ['one-time password', passwordPage({ ...typed, once: true })],
    ['recovery', recoverPage(typed)],
    ['invitation', invitationPage(typed)],
    ['done', donePage({ heading: text, text, registry: text, back: text })],
  ]
}

const ways = (text: string) => ({ recovery: text, invitation: text })

/** The tags of a page without the values between their quotes: what a browser makes of it. */
function skeleton(page: string): string {
  return (page.match(/<[^>]*>/g) ?? []).join('').replaceAll(/"[^"]*"/g, '""')
}

const HOSTILE = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom(...Array.from(`<>"'\`&/= \n\r\t\u0000\u001b\u202e\u2066\u200b\u2028\u{e0041}a`)),
    maxLength: 60,
  }),
  fc.constantFrom(
    '</title><script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)' autofocus='",
    'javascript:alert(1)',
    '</style><style>*{display:none}',
    '<!--',
    '&lt;script&gt;',
    'moc.live\u202e',
    '__proto__',
    'constructor',
  ),
)

describe('what others wrote', () => {
  const plain = new Map(everyPage('a').map(([name, page]) => [name, skeleton(page)]))

  it('never becomes markup, in no place of no page', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        for (const [name, page] of everyPage(`a${text}`)) expect(skeleton(page), name).toBe(plain.get(name))
      }),
      { numRuns: 60 },
    )
  })

  it('has nothing in it that a browser obeys, hides or reorders', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        for (const [name, page] of everyPage(text)) {
          expect(page.replaceAll('\n', ''), name).not.toMatch(
            /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200b\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u,
          )
        }
      }),
      { numRuns: 60 },
    )
  })

  it.each([
    ['\u202egnp.exe', '\\u{202E}gnp.exe'],
    ['Acme\u200b', 'Acme\\u{200B}'],
    ['a\u0007b', 'a\\u{0007}b'],
    ['<b>&"\'`', '&lt;b&gt;&amp;&quot;&#39;&#96;'],
  ])('%j is shown as %j', (text, shown) => {
    expect(deviceDonePage({ clientName: text })).toContain(`<bdi>${shown}</bdi>`)
  })

  it.each(['Zürich Städte', 'بيانات', '日本語のツール', '👩‍💻 tools'])(
    'an honest name %j stays as it is',
    (text) => {
      expect(deviceDonePage({ clientName: text })).toContain(`<bdi>${text}</bdi>`)
    },
  )

  it('is cut where it is too long to be a name', () => {
    const page = consentPage({
      ...{ action: '/a', abort: '/b', csrf: 'c', abortCsrf: 'd', scopes: [] },
      clientName: 'x'.repeat(100_000),
    })
    expect(page.length).toBeLessThan(20_000)
  })
})

describe.each(everyPage('text'))('the page %s', (_name, page) => {
  it('has no script and loads nothing', () => {
    expect(page).not.toMatch(
      /<script|<link|<img|<iframe|<object|<base|javascript:|\son[a-z]+=|\sstyle=|src=/i,
    )
  })

  it('has a language, one title, one heading and one main', () => {
    expect(page.startsWith('<!doctype html>')).toBe(true)
    expect(page).toContain('<html lang="en">')
    for (const tag of ['title', 'h1', 'main'])
      expect(page.match(new RegExp(`<${tag}[ >]`, 'g'))).toHaveLength(1)
  })

  it('has a label for every input, and no name twice', () => {
    const inputs = [...page.matchAll(/<input\s([^>]*)>/g)].map(([, attributes = '']) => attributes)
    const seen = inputs.filter((attributes) => !attributes.includes('type="hidden"'))
    for (const attributes of seen) {
      const id = /id="([^"]+)"/.exec(attributes)?.[1]
      expect(page).toContain(`<label for="${id}">`)
      expect(attributes).toMatch(/autocomplete="(username|current-password|new-password|one-time-code)"/)
    }
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('describes with what is there', () => {
    for (const [, described = ''] of page.matchAll(/aria-(?:describedby|labelledby)="([^"]+)"/g)) {
      for (const id of described.split(' ')) expect(page).toContain(`id="${id}"`)
    }
  })
})

describe('passwords and codes', () => {
  it.each(['password', 'one-time password', 'recovery', 'invitation', 'login'])(
    '%s tells a password manager whose they are',
    (name) => {
      const page = new Map(everyPage('text')).get(name) ?? ''
      expect(page).toMatch(/autocomplete="username"/)
      expect(page).toMatch(/type="password"/)
    },
  )

  it('are never sent back', () => {
    for (const [, page] of everyPage('text')) {
      for (const [, attributes = ''] of page.matchAll(/<input\s([^>]*)>/g)) {
        if (/type="password"|one-time-code/.test(attributes)) expect(attributes).not.toContain('value=')
      }
    }
  })
})

describe('a page with a problem', () => {
  const page = loginPage({
    ...{ action: '/login/a', csrf: 't', clientName: 'Acme' },
    problems: [{ field: 'password', also: ['login'], text: 'wrong' }],
  })

  it('says so first in its title, and focuses the summary', () => {
    expect(page).toMatch(/<title>Error: /)
    expect(page.match(/\sautofocus/g)).toHaveLength(1)
    expect(page).toMatch(/role="alert" tabindex="-1" autofocus/)
    expect(page).toContain('<a href="#password">wrong</a>')
  })

  it('marks the fields in doubt, both with the same words', () => {
    expect(page.match(/aria-invalid="true"/g)).toHaveLength(2)
    expect(page.match(/aria-describedby="password-problem"/g)).toHaveLength(2)
  })

  it('is not what it is without one', () => {
    const fine = loginPage({ action: '/login/a', csrf: 't', clientName: 'Acme' })
    expect(fine).not.toMatch(/Error: |role="alert"|aria-invalid="true"/)
  })
})

describe('scopes', () => {
  const consent = (scopes: readonly string[]): string =>
    consentPage({ action: '/a', abort: '/b', csrf: 'c', abortCsrf: 'd', clientName: 'Acme', scopes })
  const warned = (scopes: readonly string[]): boolean => consent(scopes).includes('class="notice"')

  it('are named, each in words of its own', () => {
    const words = SCOPES.map((scope) => /<strong>([^<]+)<\/strong>\s*<small/.exec(consent([scope]))?.[1])
    expect(new Set(words).size).toBe(SCOPES.length)
    expect(words).not.toContain(undefined)
    for (const scope of SCOPES) expect(consent([scope])).toContain(`<code>${scope}</code>`)
  })

  it('that decide for others, and those nobody knows, come with a warning', () => {
    expect(warned(['registry:publish', 'registry:audit'])).toBe(false)
    expect(warned(['registry:publish', 'registry:review'])).toBe(true)
    expect(warned(['registry:admin'])).toBe(true)
    expect(warned(['registry:everything'])).toBe(true)
  })
})

describe('the device form', () => {
  const confirm = (form: string): string =>
    deviceConfirmPage({ form, userCode: 'BCDF-GHJK', clientName: 'Acme', scopes: [] })

  it('takes address and token from the authorization server, and none of its markup', () => {
    const page = deviceInputPage({ form: PROVIDER_FORM })
    expect(page).toContain(`name="xsrf" value="${XSRF}"`)
    expect(page).toContain('action="https://r.example/device?a=1&amp;b=2"')
    expect(page.match(/name="user_code"/g)).toHaveLength(1)
    expect(page).not.toContain('placeholder')
  })

  it('is not shown without its token', () => {
    expect(() => confirm('<form method="post" action="/device"></form>')).toThrow()
    expect(() => deviceInputPage({ form: `<input name="xsrf" value="${XSRF}">` })).toThrow()
  })

  it('is confirmed with the code that was shown', () => {
    expect(confirm(PROVIDER_FORM)).toContain('name="user_code" value="BCDF-GHJK"')
    expect(confirm(PROVIDER_FORM)).toContain('<code>BCDF-GHJK</code>')
  })

  it('that was refused is no error', () => {
    const page = deviceInputPage({ form: PROVIDER_FORM, problem: 'AbortedError' })
    expect(page).not.toMatch(/Error: |role="alert"|<form/)
  })

  it.each(['NoCodeError', 'NotFoundError', 'ExpiredError', 'AlreadyUsedError'])(
    '%s is about the code',
    (problem) => {
      expect(deviceInputPage({ form: PROVIDER_FORM, problem })).toMatch(/id="user_code"[^>]*aria-invalid/)
    },
  )
})

describe('the headers', () => {
  const policy = (targets?: string[]): string => pageHeaders(targets)['Content-Security-Policy'] ?? ''

  it('let a browser load nothing but the style, and frame the page nowhere', () => {
    expect(policy()).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    )
  })

  it.each([
    ['https://agents.example', true],
    ['http://127.0.0.1:5151', true],
    ['com.example.app:', true],
    ['https:', false],
    ['javascript:', false],
    ['data:', false],
    ["'unsafe-inline'", false],
    ['https://a; script-src *', false],
    ['https://*', false],
    ['https://a/path', false],
    ['https://a\r\nX: y', false],
  ])('a form may lead to %s: %s', (target, allowed) => {
    expect(policy([target])).toBe(
      policy().replace("form-action 'self'", allowed ? `form-action 'self' ${target}` : "form-action 'self'"),
    )
  })
})
