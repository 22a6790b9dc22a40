import { createHash } from 'node:crypto'

/** One outcome of the record, as it is stored. Bytes are in hexadecimal. */
export interface RecordedOutcome {
  /** Of its chain, in the list of chains. */
  readonly chain: number
  /** From 1 in its chain. */
  readonly place: number
  /** Microseconds since 1970. */
  readonly at: string
  readonly dialect: string
  readonly hook: string
  /** Null for an unknown login, and for a person who was forgotten. */
  readonly userId: string | null
  readonly userSalt: string | null
  /** SHA-256 of salt and id; null for an unknown login. */
  readonly userRef: string | null
  readonly loginDigest: string | null
  readonly verdict: string
  readonly scheme: string | null
  readonly millis: number
  readonly requestId: string | null
  readonly link: string
}

/** One chain: one lane of one run of a process. */
export interface RecordedChain {
  readonly chain: number
  readonly run: string
  readonly lane: number
  readonly startedAt: string
  readonly length: number
  readonly head: string
}

/** The link before a chain's first one. */
export function genesisOf({ run, lane }: Pick<RecordedChain, 'run' | 'lane'>): string {
  return sha256(`carryover ${run} ${lane}`).toString('hex')
}

/**
 * The link that an outcome has, after the link before it. The text is what PostgreSQL makes of the same array as jsonb:
 * `carryover.append_outcomes` in migrations/0001_functions.sql.
 */
export function linkOf(before: string, outcome: RecordedOutcome): string {
  const { place, at, dialect, hook, userRef, loginDigest, verdict, scheme, millis, requestId } = outcome
  const texts = [dialect, hook, userRef, loginDigest, verdict, scheme].map((text) => JSON.stringify(text))
  const content = `[${[place, at, ...texts, millis, JSON.stringify(requestId)].join(', ')}]`
  return createHash('sha256').update(Buffer.from(before, 'hex')).update(sha256(content)).digest('hex')
}

/** Whether the outcome is of the user whom it names. */
export function isOfItsUser({ userId, userSalt, userRef }: RecordedOutcome): boolean {
  if (userId === null) return userSalt === null
  const salt = Buffer.from(userSalt ?? '', 'hex')
  return createHash('sha256').update(salt).update(userId, 'utf8').digest('hex') === userRef
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
