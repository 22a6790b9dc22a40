import { genesisOf, isOfItsUser, linkOf, type RecordedChain, type RecordedOutcome } from './record.ts'

/** The newest link of a chain at some moment, kept away from the database: the service writes them into its log. */
export interface KeptHead {
  readonly run: string
  readonly lane: number
  readonly place: number
  readonly link: string
}

export type Break =
  /** Its link is not what it and the link before it make: it, or an outcome before it, was altered or put in. */
  | 'altered'
  /** Outcomes before it were taken out. */
  | 'gap'
  /** It names another user than the one it was made of. */
  | 'other-user'
  /** It belongs to no chain. */
  | 'no-chain'
  /** The chain ends before, or elsewhere than, the list of chains says. */
  | 'cut'
  /** A link that was kept elsewhere is not in the record. */
  | 'head-missing'

export interface Finding {
  readonly kind: Break
  /** `RUN/LANE`, or the number of a chain that is not listed. */
  readonly chain: string
  readonly place: number
}

export interface Verification {
  readonly chains: number
  readonly outcomes: number
  /** Outcomes of people who were forgotten. */
  readonly forgotten: number
  /** Links kept elsewhere that were looked for. */
  readonly heads: number
  readonly broken: number
  /** The first of them, at most 100. */
  readonly findings: readonly Finding[]
}

/** What is told; the rest is counted. */
const MOST_FINDINGS = 100

interface Course extends RecordedChain {
  readonly name: string
  place: number
  link: string
  /** Links to be met, by place. */
  readonly awaited: Map<number, string[]>
}

/**
 * Computes every link again. Whoever can write the database can write a whole new record: only the kept heads show that.
 * @param outcomes in the order in which they were recorded
 */
export async function verify(
  chains: readonly RecordedChain[],
  outcomes: AsyncIterable<readonly RecordedOutcome[]>,
  heads: readonly KeptHead[],
): Promise<Verification> {
  const courses = new Map(chains.map((chain) => [chain.chain, courseOf(chain)]))
  const findings: Finding[] = []
  let broken = 0
  const found = (kind: Break, chain: string, place: number) => {
    broken += 1
    if (findings.length < MOST_FINDINGS) findings.push({ kind, chain, place })
  }
  const byName = new Map([...courses.values()].map((course) => [course.name, course]))
  for (const { run, lane, place, link } of heads) {
    const course = byName.get(`${run}/${lane}`)
    if (course === undefined) found('head-missing', `${run}/${lane}`, place)
    else course.awaited.set(place, [...(course.awaited.get(place) ?? []), link])
  }
  let seen = 0
  let forgotten = 0
  for await (const some of outcomes) {
    for (const outcome of some) {
      seen += 1
      if (outcome.userId === null && outcome.userRef !== null) forgotten += 1
      const course = courses.get(outcome.chain)
      if (course === undefined) {
        found('no-chain', String(outcome.chain), outcome.place)
        continue
      }
      if (outcome.place !== course.place + 1) found('gap', course.name, outcome.place)
      else if (linkOf(course.link, outcome) !== outcome.link) found('altered', course.name, outcome.place)
      if (!isOfItsUser(outcome)) found('other-user', course.name, outcome.place)
      course.place = outcome.place
      course.link = outcome.link
      const awaited = course.awaited.get(outcome.place)
      if (awaited === undefined) continue
      course.awaited.delete(outcome.place)
      for (const link of awaited) if (link !== outcome.link) found('head-missing', course.name, outcome.place)
    }
  }
  for (const { name, place, link, length, head, awaited } of courses.values()) {
    if (place !== length || link !== head) found('cut', name, place)
    for (const missing of awaited.keys()) found('head-missing', name, missing)
  }
  return { chains: courses.size, outcomes: seen, forgotten, heads: heads.length, broken, findings }
}

function courseOf(chain: RecordedChain): Course {
  return {
    ...chain,
    name: `${chain.run}/${chain.lane}`,
    place: 0,
    link: genesisOf(chain),
    awaited: new Map(),
  }
}
