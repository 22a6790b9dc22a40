/** Everything that a file may say of a user. The order is that of the cells that the JSON Lines reader makes. */
export const columns = [
  'id',
  'login',
  'email',
  'password_hash',
  'hash_scheme',
  'salt',
  'status',
  'cohort',
  'profile',
  'updated_at',
  'deleted',
] as const

export type Column = (typeof columns)[number]

/** How exports write a missing value in a cell. JSON has a null of its own, which becomes the first of them. */
export const NULL_CELLS = ['\\N', 'NULL'] as const

/** What a field of the file is for. */
export type Purpose =
  | { readonly kind: 'column'; readonly column: Column }
  /** Collected into the profile under this name. */
  | { readonly kind: 'profile'; readonly name: string }
  | { readonly kind: 'dropped' }

/** What was said about the fields of a file on the command line. */
export interface FieldOptions {
  /** SOURCE=COLUMN */
  readonly map: readonly string[]
  readonly drop: readonly string[]
  /** A file without hashes may change other columns, because it says whose users it is about. */
  readonly withoutHashes?: boolean
}

export type Fields = (name: string) => Purpose | undefined

/** Where each column stands in a record; -1: nowhere. */
export interface Layout {
  /** Cells of a record. */
  readonly width: number
  readonly at: Readonly<Record<Column, number>>
  readonly profile: readonly { readonly name: string; readonly at: number }[]
}

/** The file, or what was said about its fields, does not make sense. */
export class FieldsError extends Error {}

/** Reads `--map` and `--drop`. Throws FieldsError. */
export function readFields({ map, drop }: FieldOptions): { fields: Fields; mapped: readonly string[] } {
  const purposes = new Map<string, Purpose>()
  const say = (name: string, purpose: Purpose) => {
    if (purposes.has(name)) throw new FieldsError(`${shown(name)} is mapped or dropped twice`)
    purposes.set(name, purpose)
  }
  for (const entry of map) {
    const split = entry.lastIndexOf('=')
    if (split < 1) throw new FieldsError('--map takes SOURCE=COLUMN')
    say(entry.slice(0, split), purposeOf(entry.slice(split + 1)))
  }
  for (const name of drop) say(name, { kind: 'dropped' })
  return {
    fields: (name) => purposes.get(name) ?? (isColumn(name) ? { kind: 'column', column: name } : undefined),
    mapped: map.map((entry) => entry.slice(0, entry.lastIndexOf('='))),
  }
}

function purposeOf(target: string): Purpose {
  if (isColumn(target)) return { kind: 'column', column: target }
  const name = /^profile\.(.{1,64})$/.exec(target)?.[1]
  if (name !== undefined) return { kind: 'profile', name }
  throw new FieldsError(`--map takes one of ${columns.join(', ')} or profile.NAME as its column`)
}

/** Whether a name is one of the columns. */
export function isColumn(name: string): name is Column {
  return (columns as readonly string[]).includes(name)
}

/** Where a CSV file's header puts the columns. Throws FieldsError that lists every name nobody knows. */
export function layoutOf(header: readonly string[], options: FieldOptions): Layout {
  const { fields, mapped } = readFields(options)
  const purposes = header.map(fields)
  if (!purposes.some((purpose) => purpose?.kind === 'column')) {
    throw new FieldsError(
      'the first line is not a header: it names none of the columns, and no name in it is mapped to one',
    )
  }
  requireKnown(header, fields, mapped)
  const at = Object.fromEntries(columns.map((column) => [column, -1])) as Record<Column, number>
  purposes.forEach((purpose, place) => {
    if (purpose?.kind !== 'column') return
    if (at[purpose.column] >= 0) throw new FieldsError(`two columns of the file are ${purpose.column}`)
    at[purpose.column] = place
  })
  requireColumns(at, options.withoutHashes === true)
  return {
    width: header.length,
    at,
    profile: purposes.flatMap((purpose, place) =>
      purpose?.kind === 'profile' ? [{ name: purpose.name, at: place }] : [],
    ),
  }
}

/** Throws FieldsError that lists every name nobody knows, or every mapped one that is not there. */
export function requireKnown(header: readonly string[], fields: Fields, mapped: readonly string[]): void {
  const unknown = header.flatMap((name, at) => (fields(name) ? [] : [shown(name, at)]))
  if (unknown.length > 0)
    throw new FieldsError(`unknown columns, to be given to --map or --drop: ${unknown.join(', ')}`)
  const missing = mapped.filter((name) => !header.includes(name))
  if (missing.length > 0)
    throw new FieldsError(
      `--map names columns that the file does not have: ${missing.map((name) => shown(name)).join(', ')}`,
    )
}

/** The layout of the cells that the JSON Lines reader makes. */
export function fixedLayout(): Layout {
  const at = Object.fromEntries(columns.map((column, place) => [column, place])) as Record<Column, number>
  return { width: columns.length, at, profile: [] }
}

/** A file without hashes would empty those of every user in it. One that only deletes needs nothing but the id. */
function requireColumns(at: Readonly<Record<Column, number>>, withoutHashes: boolean): void {
  const needed: Column[] =
    at.deleted >= 0 || (withoutHashes && at.password_hash < 0) ? ['id'] : ['id', 'login', 'password_hash']
  const missing = needed.filter((column) => at[column] < 0)
  if (missing.length > 0) throw new FieldsError(`the file has no column ${missing.join(', ')}`)
}

/** A name as it may be printed. What does not look like a name may be a value of a file without a header. */
export function shown(name: string, at?: number): string {
  if (/^[\p{L}\p{N}_][\p{L}\p{N}_ .:-]{0,63}$/u.test(name)) return name
  return at === undefined ? 'a name of unusual characters' : `the ${at + 1}. column`
}
