import { createChecker } from '../checker/checker.ts'
import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { isPurged } from '../db/purge.ts'
import { UNTHROTTLED, userFinder } from '../db/users.ts'
import type { Verdict } from '../domain.ts'
import { hashContextOf } from '../hash-context.ts'
import { type Classified, classify } from '../hashes/classify.ts'
import { foresee } from '../hooks/judge.ts'
import { lookupName } from '../input.ts'
import type { Command, ExitCode } from './command.ts'
import { withDatabase } from './counts.ts'
import { readOptions } from './options.ts'
import { readPassword } from './password.ts'
import { requireSealed } from './sealed.ts'

export const tryLogin: Command = {
  name: 'try',
  synopsis: 'LOGIN [--json]',
  summary: 'what the verdict would be, and why; changes nothing',
  help: `Asks for the password on the terminal, or takes one line of standard input.
Throttling and the grace period after a migration are left out: the answer is about the hash.
--json   one JSON object`,
  run: async (args, io) => {
    const { values, positionals } = readOptions(args, { json: { type: 'boolean' } }, ['LOGIN'])
    requireSealed(io)
    const url = readDatabaseUrl(io.env)
    const context = hashContextOf(readHashSettings(io.env))
    const password = await readPassword(io)
    const checker = createChecker({ threads: 1, context })
    try {
      const deadline = performance.now() + 60_000
      return await withDatabase(url, async (database): Promise<ExitCode> => {
        const found = await userFinder(database, UNTHROTTLED)(lookupName(positionals[0] ?? ''), deadline)
        const { verdict, classified } = await foresee(found, password, {
          check: (stored, bytes) => checker.check(stored, bytes, deadline),
          classify: (stored) => classify(stored, context),
        })
        const why =
          found.user !== null && verdict.kind === 'unusable-hash' && (await isPurged(database, found.user.id))
            ? 'the stored hash was purged; see docs/forgetting.md'
            : reason(verdict, classified, found.ambiguous)
        const scheme = classified?.scheme ?? null
        io.out(
          values.json
            ? `${JSON.stringify({ verdict: verdict.kind, scheme, why })}\n`
            : `${verdict.kind}: ${why}\n`,
        )
        return verdict.kind === 'match' ? 0 : 1
      })
    } finally {
      await checker.close()
    }
  },
}

function reason(verdict: Verdict, classified: Classified | null, ambiguous: boolean): string {
  const scheme = classified?.scheme ?? ''
  switch (verdict.kind) {
    case 'match':
      return `the stored hash (${scheme}) is of this password`
    case 'mismatch':
      return `the stored hash (${scheme}) is not of this password`
    case 'unknown-login':
      return ambiguous
        ? 'several users answer to this login, so it is nobody'
        : 'nobody in the copy has this login or e-mail address'
    case 'disabled':
      return 'the user is disabled or locked in the copy'
    case 'unusable-hash':
      return `the stored hash cannot be used: ${verdict.defect}`
    case 'throttled':
      return 'too many refusals within the window'
    case 'migrated':
      return 'the identity provider owns the password'
  }
}
