import type { BrokenRow, SourceRow } from '../load/source-row.ts'

/** A format of files besides CSV and JSON Lines, which have fast readers of their own in `load/`. */
export interface SourceFormat {
  /** As `--format` and the history of loads have it. */
  readonly name: string
  /** What it is and what it lacks, for the help and the page. */
  readonly note: string
  /** Endings of file names that are this format and no other, with their dot: `['.ldif']`. Empty: `--format` or `detect` says. */
  readonly extensions: readonly string[]
  /**
   * Whether a file begins as one of this format. Asked where neither `--format` nor an extension says.
   * @param head the first 64 KiB, or less, as text
   */
  detect?(head: string): boolean
  /**
   * The users of a file, in the columns of a load (`id`, `login`, `email`, `password_hash`, `hash_scheme`, `salt`, `status`,
   * `cohort`, `profile`, `updated_at`, `deleted`) or in names of its own that `--map` knows. With memory that does not grow
   * with the file. Throws SourceError when it is not such a file; one user that cannot be read is a BrokenRow.
   */
  rows(bytes: AsyncIterable<Uint8Array>): AsyncIterable<SourceRow | BrokenRow>
}
