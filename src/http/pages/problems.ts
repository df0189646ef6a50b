import { AuthError } from '../../auth/errors.js'
import { parseLogin } from '../../auth/accounts/logins.js'
import type { PageProblem } from '../../auth/pages/index.js'
import { PASSWORD_LENGTH } from '../../auth/accounts/passwords.js'
import type { Form } from './form.js'

/** Of whoever is unknown, mistyped or disabled: nobody learns which. */
export const REFUSED_PASSWORD: PageProblem = {
  field: 'password',
  also: ['login'],
  text: 'The login name or the password is wrong.',
}

export function missing(field: string, value: string, text: string): PageProblem[] {
  return value === '' ? [{ field, text }] : []
}

/** The rule of a login that is chosen, along with whatever else is wrong: one round for all of it. */
export function newLoginProblems(login: string): PageProblem[] {
  if (login === '') return [{ field: 'login', text: 'Choose a login name.' }]
  try {
    parseLogin(login)
    return []
  } catch (error) {
    return [passwordProblem(error).problem]
  }
}

/** The rules of a password, before anything is spent on it; the accounts hold them again. */
export function newPasswordProblems(form: Form, login: string): PageProblem[] {
  const [password, repeat] = [form.text('newPassword'), form.text('repeat')]
  const field = 'newPassword'
  const { min, max } = PASSWORD_LENGTH
  const length = Array.from(password.normalize('NFKC')).length
  if (password === '') return [{ field, text: 'Type the new password.' }]
  if (length < min) {
    return [{ field, text: `The password has ${length} characters; it needs at least ${min}.` }]
  }
  if (length > max) {
    return [{ field, text: `The password has ${length} characters; it can have at most ${max}.` }]
  }
  if (password.toLowerCase() === login.toLowerCase()) {
    return [{ field, text: 'The password cannot be the login name.' }]
  }
  if (password === form.text('password')) {
    return [{ field, text: 'The new password is the one you had until now. Choose another one.' }]
  }
  if (password !== repeat) return [{ field: 'repeat', text: 'The two passwords are not the same.' }]
  return []
}

const LOGIN_RULE = 'A login name has 2 to 64 letters a-z, digits or . _ @ + - and nothing else.'

export interface RefusedForm {
  readonly status: number
  readonly problem: PageProblem
}

/** What an account's refusal means on its form; every other error is none of the form's. */
export function passwordProblem(error: unknown): RefusedForm {
  if (!(error instanceof AuthError)) throw error
  switch (error.code) {
    case 'credentials-invalid':
      return { status: 401, problem: REFUSED_PASSWORD }
    case 'password-invalid':
      return { status: 400, problem: { field: 'newPassword', text: sentence(error.message) } }
    case 'login-invalid':
      return { status: 400, problem: { field: 'login', text: LOGIN_RULE } }
    case 'login-taken':
      return {
        status: 409,
        problem: { field: 'login', text: 'This login name is taken. Choose another one.' },
      }
    case 'code-invalid':
      return {
        status: 400,
        problem: {
          field: 'code',
          text: 'This code is unknown, used or too old. Compare it letter by letter.',
        },
      }
    default:
      throw error
  }
}

/** Accounts name the field first, for programs; here the problem stands beside its field. */
function sentence(message: string): string {
  const text = message.replace(/^[a-zA-Z]+: /, '')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}
