import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { StepError } from '../db/step.ts'
import { syncLedger } from '../db/sync.ts'
import { hashContextOf } from '../hash-context.ts'
import { classify } from '../hashes/classify.ts'
import type { Command } from './command.ts'
import { readOptions } from './options.ts'
import { terminalLine } from './terminal-line.ts'

export const sync: Command = {
  name: 'sync',
  synopsis: '[--json]',
  summary: 'bring ledger and counts in step with a legacy.users that is a view, or was written by others',
  help: `Adds users who are in the copy and not in the ledger, notes changed cohorts and schemes, and takes unmigrated users who
are no longer in the copy out of ledger and counts; verified and migrated ones stay. Reads the copy in chunks by id,
which should therefore have an index. Safe to stop and to run again; sign-ins go on. Hashes of purged users and rows of
erased ones that somebody has written into the table are removed again; beneath a view they are only counted.

--json   one JSON object on standard output`,
  run: async (args, io) => {
    const { values } = readOptions(args, { json: { type: 'boolean' } })
    const url = readDatabaseUrl(io.env)
    const context = hashContextOf(readHashSettings(io.env))
    const line = terminalLine(io)
    try {
      const summary = await syncLedger(url, {
        classify: (stored) => classify(stored, context),
        progress: (users) => line.at(() => `${users} users`),
        stop: io.stop,
      })
      line.clear()
      const { users, added, reclassified, forgotten, purgedAgain, erasedAgain, beneathView, complete } =
        summary
      if (values.json) io.out(`${JSON.stringify(summary)}\n`)
      else io.out(`${users} users: ${added} added, ${reclassified} reclassified, ${forgotten} forgotten\n`)
      const back = `${purgedAgain} purged users had a hash again, and ${erasedAgain} erased users were there again`
      if (purgedAgain + erasedAgain > 0)
        io.err(
          beneathView
            ? `carryover sync: ${back}: remove them beneath the view, which is not ours to change\n`
            : `carryover sync: ${back}: all of it was removed once more\n`,
        )
      if (!complete) io.err('carryover sync: stopped before the end; what was done holds\n')
      return complete && !beneathView ? 0 : 1
    } catch (error) {
      line.clear()
      if (!(error instanceof StepError)) throw error
      io.err(`carryover sync: ${error.message}\n`)
      return 1
    }
  },
}
