import type { AuthCode } from '../../auth/errors.js'
import { problem, type ProblemEntry } from './entry.js'

const TOKEN = 'Get a new access token for this registry as its audience.'

/** Who is not let in, or not that far. */
export const AUTH_PROBLEMS: Readonly<Record<AuthCode, ProblemEntry>> = {
  'token-missing': problem(
    401,
    'The route needs an access token.',
    '`WWW-Authenticate` names the resource metadata, which says who gives tokens.',
  ),
  'token-invalid': problem(401, 'The access token is expired, forged or for another audience.', TOKEN),
  'account-disabled': problem(401, 'The account of the token is disabled.', 'An admin can enable it again.'),
  'credentials-invalid': problem(401, 'The password is wrong or was used.', 'Look at what you were given.'),
  'dpop-invalid': problem(
    401,
    'The DPoP proof is missing, wrong or was seen before (RFC 9449).',
    'Make a new proof for each request, over its method and URL.',
  ),
  'dpop-required': problem(
    401,
    'This route takes only tokens that are bound to a key.',
    'Ask for a token with a DPoP proof.',
  ),
  'scope-missing': problem(
    403,
    'The token lacks the scope of this route.',
    'Ask for a token with the scope that `WWW-Authenticate` names.',
  ),
  'role-missing': problem(
    403,
    'The account lacks the role that the scope stands for.',
    'An admin can give it to the account.',
  ),
  'token-limited': problem(
    403,
    'A token of trusted publishing publishes, and nothing else.',
    'Use the token of a person or of a service account.',
  ),
  'password-change-required': problem(
    403,
    'The password was given out by somebody else.',
    'Its owner logs in and chooses another one first.',
  ),
  'account-unknown': problem(404, 'There is no such account.', 'Look it up in the list of accounts.'),
  'client-unknown': problem(404, 'There is no such client.', 'Look it up in the list of clients.'),
  'trusted-publisher-unknown': problem(
    404,
    'There is no such trusted publisher.',
    'Look it up in the list of trusted publishers.',
  ),
  'account-taken': problem(409, 'There is an account of this name.', 'Choose another name.'),
  'login-taken': problem(409, 'This login name is taken.', 'Choose another one.'),
  'last-admin': problem(
    409,
    'Nobody could administer the registry any more.',
    'Make somebody else an admin first.',
  ),
  'account-invalid': problem(
    400,
    'What an account is asked to be is not possible here.',
    '`detail` says which rule it breaks.',
  ),
  'login-invalid': problem(
    400,
    'The login name has other characters than login names have.',
    'Use 2 to 64 of a-z, digits and . _ @ + -',
  ),
  'password-invalid': problem(400, 'The new password breaks a rule.', '`detail` says which one.'),
  'code-invalid': problem(
    400,
    'The invitation or recovery code is unknown, used or expired.',
    'Ask an admin for another one.',
  ),
  'client-invalid': problem(
    400,
    'What a client is asked to be is not possible here.',
    '`detail` says which rule it breaks.',
  ),
  'trusted-publisher-invalid': problem(
    400,
    'The claims or the issuer of the trusted publisher are not possible.',
    '`detail` says which rule they break.',
  ),
  'interaction-gone': problem(400, 'The login in this browser is over.', 'Begin it again.'),
  locked: problem(429, 'Too many wrong passwords or codes.', 'Wait for Retry-After seconds.'),
  'issuer-unreachable': problem(
    503,
    'The issuer whose token this is cannot be asked for its keys.',
    'Come again after Retry-After.',
  ),
  busy: problem(503, 'Too many passwords are being checked.', 'Come again after Retry-After.'),
}
