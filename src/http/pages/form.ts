import type { Request, RequestHandler } from 'express'
import { receiveBytes } from '../body.js'
import { HttpProblem } from '../problems.js'

/** The longest honest form has a code, a login and three passwords of 256 characters. */
export const MAX_FORM_BYTES = 8 * 1024
const FORM = 'application/x-www-form-urlencoded'

export interface Form {
  /** As it was typed; empty when it was not. */
  text(name: string): string
}

const receive = receiveBytes(FORM, MAX_FORM_BYTES)

export const receiveForm: RequestHandler = async (req, res, next) => {
  await receive(req, res)
  next()
}

/** A field that is there twice has two meanings, and is refused. */
export function parseForm(req: Request): Form {
  const body: unknown = req.body
  const fields = new URLSearchParams(Buffer.isBuffer(body) ? body.toString('utf8') : '')
  const names = [...fields.keys()]
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new HttpProblem('request-invalid', 'a field of the form is there twice')
  return { text: (name) => fields.get(name) ?? '' }
}
