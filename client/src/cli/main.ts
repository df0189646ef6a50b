import { run } from './program.js'

// A reader that went away (`| head`) is no failure of ours, and takes no verdict away: the exit code stays.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

process.exitCode = await run(process.argv.slice(2), { env: process.env, streams: process })
