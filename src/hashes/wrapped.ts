import type { StoredHash } from '../domain.ts'
import { NO_CONTEXT } from './context.ts'
import type { HashFormat, ReadHash } from './format.ts'

/** Something in front of a hash of another format. */
export interface Wrapping {
  /** The name of the outer format. */
  readonly name: string
  /** Writes the hash of the inner format as the outer one does. */
  readonly wrap: (encoded: string) => string
}

/** The hash of the inner format under the name of the outer one, with decoys of the outer one. */
export function readWrapped(
  { name, wrap }: Wrapping,
  inner: HashFormat,
  encoded: string,
  stored: StoredHash,
): ReadHash {
  const read = inner.read(encoded, { ...stored, encoded }, NO_CONTEXT)
  const { decoy } = read
  return { ...read, scheme: name, decoy: { ...decoy, encoded: wrap(decoy.encoded ?? ''), scheme: null } }
}

/** The checks of the inner hash, for what is made of the password; null is made where no password matches. */
export function prepared(
  inner: ReadHash,
  prepare: (password: Uint8Array) => Uint8Array | null,
): Pick<ReadHash, 'matches' | 'lane'> {
  const { lane } = inner
  return {
    matches: (password) => {
      const made = prepare(password)
      return made !== null && inner.matches(made)
    },
    ...(lane && {
      lane: {
        ...lane,
        job: (password) => {
          const made = prepare(password)
          return made && lane.job(made)
        },
      },
    }),
  }
}

/** The same hash, to be given checks of its own. */
export function withoutLane({ lane: _, ...rest }: ReadHash): Omit<ReadHash, 'lane'> {
  return rest
}
