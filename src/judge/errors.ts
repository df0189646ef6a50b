export type JudgeCode =
  /** Too much waits already. */
  | 'judge-busy'
  /** It took longer than anything honest does, and was stopped. */
  | 'judge-overdue'
  | 'judge-closed'

/** It was not judged: nothing is said about the manifest, and the caller may come again. */
export class JudgeUnavailable extends Error {
  override readonly name = 'JudgeUnavailable'
  readonly code: JudgeCode

  constructor(code: JudgeCode, message: string) {
    super(message)
    this.code = code
  }
}
