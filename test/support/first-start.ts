import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRegistry, type RunningRegistry } from './processes.js'

/** A registry that nobody has spoken to, and the folder of whoever started it. */
export interface FirstStart extends Pick<RunningRegistry, 'url' | 'fingerprint' | 'oneTimePassword'> {
  /** Goes with the registry. */
  readonly folder: string
  close(): Promise<void>
}

/** The registry as `npm start` starts it for somebody new: with nothing set but where things go and a free port. */
export async function openFirstStart(): Promise<FirstStart> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-first-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const registry = await startRegistry(join(folder, 'data'), {
      ...{ HOME: folder, XDG_STATE_HOME: join(folder, 'state') },
      // These have defaults.
      ...{ COUNTERSIGN_ROLLBACK_FILE: '', COUNTERSIGN_LOG_LEVEL: '' },
    })
    return { ...registry, folder, close: () => registry.stop().finally(remove) }
  } catch (cause) {
    remove()
    throw cause
  }
}
