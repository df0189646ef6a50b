import { html, type Html } from './html.js'

/** Why a form comes back: the field at fault, when it is one, and what to do about it. */
export interface PageProblem {
  /** The id of the field, which is also its name; without one the whole form is meant. */
  readonly field?: string
  /** Fields that are in doubt as well, when nobody may be told which one it is. */
  readonly also?: readonly string[]
  /** What is wrong and what to do, as a sentence. */
  readonly text: string
}

export interface Field {
  readonly name: string
  readonly label: string
  readonly type?: 'text' | 'password'
  readonly autocomplete: 'username' | 'current-password' | 'new-password' | 'one-time-code' | 'off'
  readonly hint?: string
  readonly value?: string | undefined
  readonly focus?: boolean
  readonly optional?: boolean
  readonly code?: boolean
}

/**
 * A labelled input; hint and problem are what it is described by. Browsers check nothing (`novalidate`): the page that
 * comes back says what is wrong, in one place and one manner.
 */
export function field(field: Field, problems: readonly PageProblem[] = []): Html {
  const { name, label, type = 'text', autocomplete, hint, value, focus, optional, code } = field
  const wrong = problems.find((problem) => problem.field === name)
  const doubted = wrong ?? problems.find(({ also }) => also?.includes(name) === true)
  const described = [
    ...(hint === undefined ? [] : [`${name}-hint`]),
    ...(doubted?.field === undefined ? [] : [`${doubted.field}-problem`]),
  ].join(' ')
  return html`<div class="field">
    <label for="${name}">${label}${optional === true ? ' (optional)' : ''}</label>
    ${hint === undefined ? undefined : html`<p class="hint" id="${name}-hint">${hint}</p>`}
    ${wrong === undefined ? undefined : html`<p class="wrong" id="${name}-problem">${wrong.text}</p>`}
    <input
      id="${name}"
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      ${[
        value === undefined ? undefined : html`value="${value}"`,
        described === '' ? undefined : html`aria-describedby="${described}"`,
        doubted === undefined ? undefined : html`aria-invalid="true"`,
        optional === true ? undefined : html`required`,
        focus === true && problems.length === 0 ? html`autofocus` : undefined,
        type === 'text' ? html`autocapitalize="none" spellcheck="false"` : undefined,
        code === true ? html`class="code-input"` : undefined,
      ].filter((part) => part !== undefined)}
    />
  </div>`
}

/** What is wrong, first on the page and focused, so that keyboards and screen readers start there. */
export function problemSummary(problems: readonly PageProblem[]): Html | undefined {
  if (problems.length === 0) return undefined
  const lines = problems.map(({ field, text }) =>
    field === undefined ? html`<li>${text}</li>` : html`<li><a href="#${field}">${text}</a></li>`,
  )
  return html`<div class="problem" role="alert" tabindex="-1" autofocus aria-labelledby="problem-title">
    <h2 id="problem-title">There is a problem</h2>
    <ul>
      ${lines}
    </ul>
  </div>`
}

export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}" />`
}

/** Other ways on, below what the page is for. */
export function moreLinks(links: readonly Html[]): Html {
  return html`<ul class="more">
    ${links.map((link) => html`<li>${link}</li>`)}
  </ul>`
}
