import { noteSigner, openTrustRoot, type NotePrivateKey, type TrustRoot } from 'countersign/core'
import { readKey } from '../../log/keys.js'
import { refusing } from '../../log/root.js'
import { OperatorError } from '../errors.js'
import type { Terminal } from '../terminal.js'
import {
  describeChanges,
  describeRoot,
  describeSignatures,
  isKey,
  isSigned,
  signaturesOf,
} from './describe.js'
import { formatDraft, parseDraft, readDraft, readText, replaceFile, type RootDraft } from './files.js'

/** Where `propose` leaves the version that a draft follows, for those who sign it without a network. */
export function previousFileOf(file: string): string {
  return `${file}.previous`
}

/** A draft and the version that it follows, as somebody holds them in files. */
export interface Proposal {
  readonly draft: RootDraft
  readonly previous?: TrustRoot
}

/**
 * Reads a draft and its predecessor, which must carry its own signatures and be exactly the version before. Throws
 * OperatorError `previous-invalid` when it is not, or is missing.
 */
export async function readProposal(file: string, previousFile?: string): Promise<Proposal> {
  const draft = await readDraft(file)
  if (draft.root.version === 1) return { draft }
  const note = await readText(previousFile ?? previousFileOf(file)).catch((cause: unknown) => {
    const message = `give version ${draft.root.version - 1} with --previous: without it nobody sees what changes`
    throw new OperatorError('previous-invalid', message, { cause })
  })
  return { draft, previous: openPrevious(note, draft.root) }
}

function openPrevious(note: string, next: TrustRoot): TrustRoot {
  try {
    const previous = refusing(() => openTrustRoot(note))
    if (previous.identity === next.identity && previous.version === next.version - 1) return previous
  } catch (cause) {
    throw new OperatorError('previous-invalid', 'the version before it is not signed by its own keys', {
      cause,
    })
  }
  throw new OperatorError('previous-invalid', `version ${next.version - 1} of ${next.identity} was due`)
}

/** What it says, what it changes, and who has signed. */
export function describeProposal({ draft, previous }: Proposal): string[] {
  const { identity, version } = draft.root
  const what = previous === undefined ? describeRoot(draft.root) : describeChanges(previous, draft.root)
  return [
    `trust root ${version} of ${identity}`,
    ...(what.length > 0 ? what : ['nothing changes']).map((line) => `  ${line}`),
    ...describeSignatures(signaturesOf(draft, previous)).map((line) => `  ${line}`),
  ]
}

export interface SignRequest {
  readonly file: string
  readonly keyFile: string
  readonly previousFile?: string | undefined
}

/**
 * Shows what a draft changes, asks, and adds this key's signature to the file. Throws OperatorError `root-key-unknown`
 * when neither version names the key. The command that comes next, once nothing is missing any more.
 */
export async function signProposal(request: SignRequest, terminal: Terminal): Promise<string | undefined> {
  const { file, keyFile, previousFile } = request
  const proposal = await readProposal(file, previousFile)
  const key = await readKey(keyFile)
  for (const line of describeProposal(proposal)) terminal.tell(line)
  const { draft, previous } = proposal
  const lines = signatureLines(key, proposal).filter((line) => !draft.lines.includes(line))
  if (lines.length > 0) {
    await terminal.confirm(`Sign version ${draft.root.version} as ${key.key.name}?`)
    await replaceFile(file, formatDraft(draft.text, [...draft.lines, ...lines]))
  }
  const signed = parseDraft(formatDraft(draft.text, [...draft.lines, ...lines]))
  const counts = signaturesOf(signed, previous)
  for (const line of describeSignatures(counts)) terminal.say(line)
  return isSigned(counts) ? nextStep(file, proposal) : undefined
}

/** A first root begins a log, one with other logs ends one, and for neither may the registry run. */
function nextStep(file: string, { draft: { root }, previous }: Proposal): string {
  if (previous === undefined) return `countersign-registry root publish ${file}`
  if (root.logs.length !== previous.logs.length) return `countersign-registry recover --root ${file}`
  return `countersign admin root publish ${file} (stopped: countersign-registry root publish)`
}

/** A line for each name under which one of the two versions knows the key. */
function signatureLines({ key, signer }: NotePrivateKey, { draft, previous }: Proposal): string[] {
  const known = [...draft.root.rootVerifiers, ...(previous?.rootVerifiers ?? [])]
  const raw = key.publicKey
  const names = new Set(
    [...draft.root.rootKeys, ...(previous?.rootKeys ?? [])]
      .map((vkey, i) => (isKey(vkey, raw) ? known[i]?.name : undefined))
      .filter((name) => name !== undefined),
  )
  if (names.size === 0) {
    throw new OperatorError(
      'root-key-unknown',
      `${key.name} is a root key neither of this version nor of the one before`,
    )
  }
  return [...names].map((name) => noteSigner(name, signer).sign(draft.text))
}
