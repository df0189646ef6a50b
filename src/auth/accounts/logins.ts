import { AuthError } from '../errors.js'

const LOGIN = /^[a-z0-9._@+-]{2,64}$/

/** What a typed login is looked up and counted as. Too long for anybody's: cut, so that it stays nobody's. */
export function foldLogin(typed: string): string {
  return typed.slice(0, 128).trim().toLowerCase()
}

/**
 * A login that a person may choose.
 * @throws AuthError `login-invalid`
 */
export function parseLogin(typed: string): string {
  const login = foldLogin(typed)
  if (LOGIN.test(login)) return login
  throw new AuthError('login-invalid', 'login: a login has 2 to 64 characters out of a-z 0-9 . _ @ + -')
}
