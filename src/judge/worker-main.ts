/** The thread that judges: one task after the other, each answered under its id. */
import { parentPort } from 'node:worker_threads'
import { answerOf, READY, type Asked } from './wire.js'
import { openWork } from './work.js'

const work = openWork()

parentPort?.on('message', (asked: Asked) => parentPort?.postMessage(answerOf(asked, work)))
parentPort?.postMessage(READY)
