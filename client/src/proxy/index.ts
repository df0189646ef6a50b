export { runGuardProcess, type GuardProcessOptions } from './guard-process.js'
export { describeEvent } from './report.js'
