/** What finds the user of the copy that a row is about. */
export type Key =
  | { readonly kind: 'id' }
  | { readonly kind: 'login' }
  | { readonly kind: 'email' }
  | { readonly kind: 'profile'; readonly name: string }

/** How rows are brought to users of the copy. */
export interface Filing {
  readonly key: Key
  /** The name under which the origin of every user is remembered. */
  readonly source: string | null
  /** Rows change what they have a value for, and add nobody. */
  readonly updateOnly: boolean
  /** The rows are all that the source has, and at most so many percent of its users may go; null: not all. */
  readonly wholeWithin: number | null
  /** The row of `carryover.loads`. */
  readonly load: number | null
  /** Whether every row passes the staging table, also into an empty copy. */
  readonly staged: boolean
}

/** By id, each row on its own. */
export const BY_ID: Filing = {
  key: { kind: 'id' },
  source: null,
  updateOnly: false,
  wholeWithin: null,
  load: null,
  staged: false,
}

/** Whether a good row may still be refused for what the copy holds: then it is kept as it stood. */
export function mayRefuseAny({ key, source, updateOnly }: Filing): boolean {
  return key.kind !== 'id' || source !== null || updateOnly
}
