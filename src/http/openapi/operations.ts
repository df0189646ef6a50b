import { z } from 'zod'
import type { Fixed } from './fixed.js'

const JSON_TYPE = 'application/json'
const unready = z
  .object({ status: z.literal('unready'), reasons: z.array(z.string()) })
  .meta({ id: 'Unready' })
const UNREADY = { 503: ['Nobody should be sent here now.', unready] } as const

export const OPERATIONS: readonly Fixed[] = [
  {
    path: '/healthz',
    summary: 'The process lives',
    answer: [JSON_TYPE, z.object({ status: z.literal('ok') })],
  },
  {
    path: '/readyz',
    summary: 'It can answer: the database does, and the log goes on',
    answer: [JSON_TYPE, z.object({ status: z.literal('ready') })],
    others: UNREADY,
  },
  {
    path: '/metrics',
    summary: 'For Prometheus; from this machine, or with the token for metrics',
    answer: ['text/plain'],
    problems: [401, 404, 503],
  },
  {
    path: '/openapi.json',
    summary: 'This document',
    answer: [JSON_TYPE, z.record(z.string(), z.unknown())],
    isDocument: true,
  },
  { path: '/docs', summary: 'This document, for people', answer: ['text/html'], isDocument: true },
  {
    path: '/docs/problems',
    summary: 'Every code of a problem, with its meaning and what to do',
    answer: ['text/html'],
    isDocument: true,
  },
]
