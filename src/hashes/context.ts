import type { Hardening } from './hardening.ts'
import type { PasswordForm } from './password-forms.ts'

/** What reading a stored hash may need besides the row: the operator's own recipes, and secrets such as a pepper. */
export interface HashContext {
  /** Recipes by the name that `hash_scheme` gives. */
  readonly recipes: ReadonlyMap<string, string>
  /** What `$secret_NAME` stands for. `$pepper` is the secret of the name `pepper`. */
  readonly secrets: ReadonlyMap<string, Buffer>
  /** Stored passwords themselves may be compared, where the row says that they are that. */
  readonly plaintext: boolean
  /** By cohort, `*` for every other one: the schemes of digests whose rows name none. */
  readonly candidates?: Candidates
  /** Bytes that one check may take outside of JavaScript; none is refused when absent. */
  readonly memory?: number
  /** The forms of a password that are tried, one after the other; as it was sent alone when absent. */
  readonly forms?: readonly PasswordForm[]
  /** The keys of hardened hashes, and what new ones cost; absent where the operator has no such key. */
  readonly hardening?: Hardening
}

export type Candidates = ReadonlyMap<string, readonly string[]>

export const NO_CONTEXT: HashContext = { recipes: new Map(), secrets: new Map(), plaintext: false }

/** The same after it has been copied to a thread: a Buffer arrives there as its bytes alone. */
export function copiedContext({ secrets, ...rest }: CopiedContext): HashContext {
  return {
    ...rest,
    secrets: new Map(Array.from(secrets, ([name, bytes]) => [name, Buffer.from(bytes)])),
  }
}

export interface CopiedContext {
  readonly memory?: number
  readonly recipes: ReadonlyMap<string, string>
  readonly secrets: ReadonlyMap<string, Uint8Array>
  readonly plaintext: boolean
  readonly candidates?: Candidates
  readonly forms?: readonly PasswordForm[]
  readonly hardening?: Hardening
}
