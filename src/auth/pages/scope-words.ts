import { SCOPES, type Scope } from '../scopes.js'
import { html, visible, type Html } from './html.js'

interface Words {
  readonly may: string
  readonly more: string
  /** Decides for others, so that lending it deserves a second look. */
  readonly strong?: true
}

/** What each scope means to the person who lends it. */
const WORDS: Readonly<Record<Scope, Words>> = {
  'registry:publish': {
    may: 'Publish for you',
    more: 'New versions, keys and proofs in the namespaces that are yours.',
  },
  'registry:review': {
    may: 'Decide as a reviewer',
    more: 'Approve, reject, revoke and reinstate what others publish.',
    strong: true,
  },
  'registry:audit': {
    may: 'Read the audit trail',
    more: 'Who did what in this registry, and when.',
  },
  'registry:read': {
    may: 'Read what this registry lists',
    more: 'Servers, versions and bundles, where that is not open to everyone.',
  },
  'registry:admin': {
    may: 'Administer the registry',
    more: 'Accounts, roles, clients, namespaces and the rules for approval.',
    strong: true,
  },
}

function wordsOf(scope: string): Words {
  const known = SCOPES.find((one) => one === scope)
  if (known !== undefined) return WORDS[known]
  if (scope === 'offline_access') return { may: 'Stay logged in', more: 'Until you log out.' }
  if (scope === 'openid') return { may: 'Know which account is yours', more: 'Its identifier, nothing else.' }
  // What nobody can explain is not waved through as harmless.
  return { may: 'Something this page has no words for', more: 'Ask before you agree.', strong: true }
}

/** Each scope in words, with its own name for those who know it. */
export function scopeList(scopes: readonly string[]): Html {
  if (scopes.length === 0) return html`<p>Nothing but to know which account is yours.</p>`
  const lines = scopes.map((scope) => {
    const { may, more, strong } = wordsOf(scope)
    return html`<li${strong === true ? html` class="strong"` : undefined}><strong>${may}</strong>
<small>${more} <code>${visible(scope)}</code></small></li>`
  })
  return html`<ul class="scopes">
    ${lines}
  </ul>`
}

/** A warning when anything in there decides for others. */
export function strongNotice(scopes: readonly string[]): Html | undefined {
  if (!scopes.some((scope) => wordsOf(scope).strong === true)) return undefined
  return html`<div class="notice">
    <p>
      <strong>Powerful access.</strong> With it a program decides for everyone who relies on this registry.
      Agree only if you started it yourself, just now.
    </p>
  </div>`
}
