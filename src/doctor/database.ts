import type { ClockReading, LookupPlans, ServerFacts } from '../db/inspection.ts'
import type { Defect } from '../domain.ts'
import { type Finding, fine, problem, several, warning } from './finding.ts'

/** Milliseconds. Graces and windows are told by both clocks, and their shortest useful length is some seconds. */
const CLOCK_GIVE_MS = 2_000

/** Milliseconds. A call has 2.4 s and asks the database twice; the rest belongs to the check and to queueing. */
const SLOW_LOOKUP_MS = 50

export function checkSchemaAge(age: 'older' | 'same' | 'newer'): Finding {
  if (age === 'same') return fine('database', "The database is at this program's schema.")
  return age === 'older'
    ? problem(
        'database',
        'The database has an older schema than this program, which does not start on it.',
        'Run carryover migrate.',
      )
    : problem(
        'database',
        'The database has a newer schema than this program, which does not start on it.',
        'Update the program.',
      )
}

export function checkServer({ version, inClear, unsafeCommits, logsValues }: ServerFacts): Finding[] {
  return [
    ...(version < 140_000
      ? [problem('database', 'PostgreSQL is older than version 14.', 'Update PostgreSQL.')]
      : []),
    ...(inClear
      ? [
          problem(
            'database',
            'The connection to the database leaves this machine without TLS, and hashes travel in it.',
            'Put sslmode=verify-full into the connection string.',
          ),
        ]
      : []),
    ...(unsafeCommits
      ? [
          problem(
            'database',
            'The server has fsync or full_page_writes off: verdicts on record may be lost in a crash.',
            'Switch both on.',
          ),
        ]
      : []),
    ...(logsValues
      ? [
          warning(
            'database',
            "Values of statements come into PostgreSQL's own log: logins, and passwords typed into the wrong field.",
            'Set log_parameter_max_length and log_parameter_max_length_on_error to 0.',
          ),
        ]
      : []),
  ]
}

export function checkClock({ ahead, give }: ClockReading): Finding {
  const off = Math.abs(ahead) - give
  if (off <= CLOCK_GIVE_MS) return fine('clock', "The database's clock and ours agree.")
  const seconds = (Math.abs(ahead) / 1_000).toFixed(1)
  return warning(
    'clock',
    `The database's clock is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} ours; grace periods are wrong by that.`,
    'Let both machines keep their time by NTP.',
  )
}

/** @param median milliseconds of one look-up */
export function checkPace(median: number): Finding {
  const figure = `A look-up takes ${median < 10 ? median.toFixed(1) : Math.round(median)} ms`
  return median > SLOW_LOOKUP_MS
    ? warning(
        'pace',
        `${figure} from here; over ${SLOW_LOOKUP_MS} ms is slow.`,
        'Bring the service and the database nearer, or see what the server waits for.',
      )
    : fine('pace', `${figure} from here.`)
}

export function checkPlans({ kind, wholly, unanalyzed }: LookupPlans): Finding[] {
  const found = [
    ...(wholly.length > 0
      ? [
          problem(
            'look-ups',
            `Each look-up reads all of ${wholly.join(', ')}, because no index serves it.`,
            kind === 'view'
              ? 'Make indexes on what lies beneath the view: the id, (carryover.name_key(login)) and (carryover.name_key(email)).'
              : 'Make the indexes of legacy.users again, as migrations/0001_functions.sql does.',
          ),
        ]
      : []),
    ...(unanalyzed.length > 0
      ? [
          warning(
            'look-ups',
            `PostgreSQL has no statistics of ${unanalyzed.join(', ')} and may plan badly.`,
            'Run analyze on it, and leave autovacuum on.',
          ),
        ]
      : []),
  ]
  return found.length > 0 ? found : [fine('look-ups', 'Each look-up is served by indexes.')]
}

/** @param names undefined: counting took too long */
export function checkNames(names: number | undefined, most: number): Finding {
  if (names === undefined)
    return warning(
      'names',
      'Names that several users answer to were not counted: it took too long on this copy.',
      'Run it again at a quieter hour, or count them on a replica.',
    )
  if (names === 0) return fine('names', 'No name is answered to by several users.')
  const number =
    names > most ? `More than ${several(most, 'name')} are` : names === 1 ? '1 name is' : `${names} names are`
  return warning(
    'names',
    `${number} answered to by several users, and nobody can sign in under them.`,
    'GET /users/LOGIN says which ids they are; remove or rename all but one.',
  )
}

interface SchemeTally {
  readonly scheme: string
  readonly unmigrated: number
  readonly unverifiable: number
}

/** Users whose hash nothing here can check, by scheme. */
export function checkSchemes(total: number, schemes: readonly SchemeTally[]): Finding[] {
  if (total === 0)
    return [
      warning(
        'schemes',
        'The copy is empty: every login is unknown.',
        'Run carryover load, or sync after making the view.',
      ),
    ]
  const unmigrated = schemes.reduce((sum, scheme) => sum + scheme.unmigrated, 0)
  const without = schemes.filter(({ unverifiable }) => unverifiable > 0)
  const unverifiable = without.reduce((sum, scheme) => sum + scheme.unverifiable, 0)
  const todo =
    'carryover analyze says why; say in hash_scheme what they are, or let these users set new passwords.'
  if (unverifiable === 0) return [fine('schemes', 'Every unmigrated user has a hash that can be checked.')]
  const each = without.map((one) => `${one.scheme}: ${one.unverifiable}`).join(', ')
  return unverifiable === unmigrated
    ? [problem('schemes', `No unmigrated user has a hash that can be checked (${each}).`, todo)]
    : [
        warning(
          'schemes',
          `${several(unverifiable, 'unmigrated user')} of ${unmigrated} cannot be checked and will be refused (${each}).`,
          todo,
        ),
      ]
}

export interface LostScheme {
  readonly scheme: string
  readonly users: number
  readonly defect: Defect
}

/** Schemes that could be checked when their users were loaded and cannot be with the present settings, by one user of each. */
export function checkLostSchemes(lost: readonly LostScheme[] | undefined): Finding[] {
  if (lost === undefined)
    return [
      warning(
        'schemes',
        'Whether every scheme can still be checked was not looked at: it took too long.',
        'Run carryover analyze.',
      ),
    ]
  return lost.map(({ scheme, users, defect }) =>
    problem(
      'schemes',
      `Users of the scheme ${scheme} could be checked when loaded and cannot be with these settings (${defect}): ${several(users, 'unmigrated user')}.`,
      'Give doctor and serve the settings that load had: RECIPES_FILE, HASH_SECRETS_DIR, CANDIDATE_SCHEMES_FILE, ALLOW_PLAINTEXT, CHECK_MEMORY_MIB.',
    ),
  )
}
