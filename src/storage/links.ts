/** Whether a hard link failed for the disk alone: sticks, and shares of other systems, know none. */
export function hasNoLinks(cause: unknown): boolean {
  const { code = '' } = cause as NodeJS.ErrnoException
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)
}
