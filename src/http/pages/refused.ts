/** A form that is not taken: it stood too long, or did not come from a page of ours. */
export class PageRefused extends Error {
  override readonly name = 'PageRefused'
  readonly code: 'form-refused'

  constructor(code: 'form-refused', message: string) {
    super(message)
    this.code = code
  }
}
