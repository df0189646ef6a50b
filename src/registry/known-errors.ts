import { AuthError } from '../auth/errors.js'
import { ConfigError } from '../config.js'
import { LedgerFatal, LedgerRefusal } from '../log/errors.js'
import { DumpError } from '../storage/dump/errors.js'
import { StoreError } from '../storage/errors.js'
import { KeyFileError } from '../storage/secret-file.js'
import { OperatorError } from './errors.js'
import { RootFileError } from './root-people.js'

const KNOWN = [
  AuthError,
  ConfigError,
  DumpError,
  KeyFileError,
  LedgerFatal,
  LedgerRefusal,
  OperatorError,
  RootFileError,
  StoreError,
] as const

/** Whether an operator can act on it by its message; anything else is a defect. */
export function isKnownError(error: unknown): error is Error {
  return KNOWN.some((kind) => error instanceof kind) || isBindError(error) || isDiskError(error)
}

/** A disk that is full or not ours to write is no defect of the program. */
function isDiskError(error: unknown): boolean {
  const { code = '', syscall } = error as NodeJS.ErrnoException
  return (
    syscall !== undefined && ['ENOSPC', 'EDQUOT', 'EROFS', 'EPERM', 'EIO', 'EISDIR', 'ENOTDIR'].includes(code)
  )
}

function isBindError(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes((error as NodeJS.ErrnoException).code ?? '')
}
