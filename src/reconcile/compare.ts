import type { MigrationState } from '../domain.ts'
import type { Standing } from '../targets/confirmations.ts'

/** A user of the ledger who is looked up at the provider. */
export interface LedgerUser {
  readonly id: string
  readonly login: string
  readonly state: MigrationState
  /** The provider's own key, where a run has learned it. */
  readonly targetId: string | null
}

/** How many users the ledger has in this state and the provider in that one. */
export interface Said {
  readonly ledger: MigrationState
  readonly provider: Standing
  users: number
  /** The first of them, where the two do not agree. */
  readonly examples: string[]
}

export interface Comparison {
  readonly users: number
  readonly said: readonly Said[]
  /** Who have a password of their own and were not migrated: they are now. */
  readonly corrected: number
  /** Asked to stop before the end. */
  readonly complete: boolean
}

export interface CompareDeps {
  /** Users of the ledger, some hundred at a time. */
  users(): AsyncIterable<readonly LedgerUser[]>
  standing(user: LedgerUser): Promise<Standing>
  /** Moves users to `migrated`, for good. Says how many were not before. */
  correct(users: readonly LedgerUser[]): Promise<number>
  progress(users: number): void
  /** Users who are looked up at the same time. */
  readonly inFlight: number
  readonly stop: AbortSignal
}

const MOST_EXAMPLES = 20

/**
 * Asks the provider about each user. The ledger is corrected in the one direction that it knows: who has a password of their own
 * there is migrated. Whoever is migrated here and not there is only told, because hashes may be gone already.
 */
export async function compare(deps: CompareDeps): Promise<Comparison> {
  const said = new Map<string, Said>()
  let users = 0
  let corrected = 0
  for await (const some of deps.users()) {
    const standings = await lookUp(some, deps)
    const done = some.slice(0, standings.length)
    for (const [at, user] of done.entries()) note(said, user, standings[at] ?? 'unclear')
    const late = done.filter((user, at) => standings[at] === 'own-password' && user.state !== 'migrated')
    if (late.length > 0) corrected += await deps.correct(late)
    users += done.length
    deps.progress(users)
    if (deps.stop.aborted) break
  }
  const order = ({ ledger, provider }: Said) => `${ledger} ${provider}`
  return {
    users,
    said: [...said.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1)),
    corrected,
    complete: !deps.stop.aborted,
  }
}

/** In the order of the users; fewer where it was asked to stop. */
async function lookUp(users: readonly LedgerUser[], deps: CompareDeps): Promise<Standing[]> {
  const standings: Standing[] = []
  for (let from = 0; from < users.length && !deps.stop.aborted; from += deps.inFlight) {
    const next = users.slice(from, from + deps.inFlight)
    standings.push(...(await Promise.all(next.map((user) => deps.standing(user)))))
  }
  return standings
}

function note(said: Map<string, Said>, { id, state }: LedgerUser, provider: Standing): void {
  const key = `${state} ${provider}`
  const known = said.get(key) ?? { ledger: state, provider, users: 0, examples: [] }
  said.set(key, known)
  known.users++
  if (!agree(state, provider) && known.examples.length < MOST_EXAMPLES) known.examples.push(id)
}

/** `verified`: we have said yes, and the provider may not have told us yet, or not have stored it. */
export function agree(ledger: MigrationState, provider: Standing): boolean {
  return ledger === 'migrated' ? provider === 'own-password' : provider === 'asks-us'
}
