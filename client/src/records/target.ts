import { refuse } from '../core/index.js'
import { descriptorSink } from './descriptor-sink.js'
import { fileSink, type FileSinkOptions } from './file-sink.js'
import type { LineSink } from './sink.js'

const STDOUT = 1
const STDERR = 2
const MAX_DESCRIPTOR = 1023

/**
 * A path, `-` for stderr, or `fd:N`.
 * @throws CountersignError `usage` for a file descriptor that cannot be one of records
 */
export function sinkOf(options: FileSinkOptions): LineSink {
  const { file } = options
  if (file === '-') return descriptorSink(STDERR)
  const descriptor = /^fd:(\d{1,4})$/.exec(file)?.[1]
  if (descriptor !== undefined) return descriptorSink(checkDescriptor(Number(descriptor)))
  if (/^(?:fd|[a-z]{2,}):/.test(file) || file === '')
    refuse('usage', 'records go to a file, to - (stderr) or to fd:N')
  return fileSink(options)
}

/** Where stdout carries a protocol, a record in it would be a message. */
function checkDescriptor(fd: number): number {
  if (fd <= STDOUT || fd > MAX_DESCRIPTOR) refuse('usage', 'records go to a file descriptor from 2 to 1023')
  return fd
}
