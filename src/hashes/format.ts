import type { Defect, StoredHash } from '../domain.ts'
import type { PortableHash } from '../portable-hash.ts'
import type { HashContext } from './context.ts'
import type { Lane } from './lanes.ts'

/** A stored hash that cannot be used. The message never contains any part of the hash. */
export class HashError extends Error {
  readonly defect: Defect

  constructor(defect: Defect, message: string) {
    // A load may meet millions of these, and a stack would be most of what one costs.
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = limit
    this.name = 'HashError'
    this.defect = defect
  }
}

/** A stored hash that has been read: every part is checked and its cost is within the ceiling. */
export interface ReadHash {
  /** The scheme's name or the recipe. Recorded with every outcome and used as a metric label. */
  readonly scheme: string
  /** Milliseconds on one core of an ordinary server. Below one the check may run on the event loop. */
  readonly millis: number
  /** A stored hash of the same scheme and cost that nobody knows a password of: the work for unknown logins. */
  readonly decoy: StoredHash
  /** The rounds of PBKDF2, where that is what makes the check slow. */
  readonly pbkdf2?: { readonly digest: string; readonly iterations: number }
  /** What native code the check needs. The checker asks beforehand whether any that loads here computes it. */
  readonly native?: 'argon2'
  /** A way to check that shares a call with others, and comes to what `matches` comes to. */
  readonly lane?: Lane
  /** Bytes that the check holds outside of JavaScript while it runs. Absent: nothing worth counting. */
  readonly memory?: number
  /**
   * A NUL in a password is a byte like any other to the system that made the hash. Otherwise its password ends there, or it
   * refuses such a password; nobody can have signed in with one, so none matches.
   */
  readonly nulIsData?: boolean
  /** What the check compares, for `carryover harden`. Absent: the family does not tell. To be had by `digestIn`. */
  readonly digest?: PasswordDigest
  /** The same hash as what it is made of. Absent: none of the portable ones means the same. To be had by `portableOf`. */
  readonly portable?: PortableForm
  /** `password` is UTF-8, at most 4 KiB. To be called by `matchesPassword`, which knows what a NUL means. */
  matches(password: Uint8Array): boolean | Promise<boolean>
}

/** The bytes that stand for a password in a stored hash. They are all of the string that was made of the password. */
export interface PasswordDigest {
  /** Decoded: different writings of one digest are the same bytes. */
  readonly expected: Uint8Array
  /** What is compared with `expected`; several where several schemes may be meant, none where no password matches. */
  of(password: Uint8Array): readonly Uint8Array[] | Promise<readonly Uint8Array[]>
  /** How many `of` makes at most. */
  readonly most: number
  /** The text that stands for `expected`, where it is no writing of these bytes. */
  readonly written?: string
  /** The check that does so. One that was put in its place later may read the password in another way. */
  readonly comparedBy: ReadHash['matches']
}

/** A hash as what it is made of, worked out when somebody asks: a load reads millions of hashes. */
export interface PortableForm {
  /** Null where none of the portable ones means the same after all. */
  made(): PortableHash | null
  /** The check that comes to the same. One that was put in its place later may mean something else. */
  readonly checkedBy: ReadHash['matches']
}

/** How stored hashes of one kind are told and read. */
export interface HashFormat {
  /** Recorded with every outcome and used as a metric label, so it is never renamed. */
  readonly name: string
  /** Other names that a `hash_scheme` column may hold. Never recorded. */
  readonly aliases?: readonly string[]
  /** What the example does not show, for the list of formats. */
  readonly note?: string
  /** A hash of ordinary cost that nobody knows the password of: documentation, and the first decoy. */
  readonly example: string
  /** Claims stored strings by shape alone. No two formats that are told by their shape may claim the same string. */
  readonly shape: RegExp
  /** The shape fits other families too (a bare digest): only a `hash_scheme` that names the format makes it one. */
  readonly byNameOnly?: true
  /** The shape has no mark of the family's own: what it claims is probably one, and `hash_scheme` would make sure. */
  readonly probable?: true
  /** What the format claims under its own name, where no other can be meant; `shape` when absent. */
  readonly shapeByName?: RegExp
  /**
   * Reads a claimed string, or throws HashError. Costs above the ceiling are refused here, so that
   * nobody can reach the work without passing the bounds. `stored` is for families that take the salt, the login
   * or the id from the row, `context` for those that need a secret of the operator's.
   */
  read(encoded: string, stored: StoredHash, context: HashContext): ReadHash
}

/** What the registry lists: a format, and what people want to know before they rely on it. */
export interface Family extends HashFormat {
  /** The systems that store such hashes, as `Drupal 7 to 9`. */
  readonly sources: string
  /** The most that is read, in the words of `ceilings.ts`. */
  readonly ceiling: string
}
