import type { Field } from '../mapping/user.ts'
import { type Code, meanings, WORST } from './codes.ts'

export interface Tallied {
  readonly code: Code
  readonly field: Field | null
  readonly attribute: string | null
  readonly count: number
  readonly examples: readonly string[]
  /** Of `hash-unusable`: users by scheme. */
  readonly by: Readonly<Record<string, number>>
}

/** Names of fields of profiles that are objects by key would fill the memory. */
const MOST_FIELDS = 1_000
const MOST_SCHEMES = 500
const EXAMPLES = 5

/** Up to five ids, the first in the order of their code units, so that a report of the same users is the same. */
export function firstIds() {
  const ids: string[] = []
  return {
    ids: ids as readonly string[],
    add: (id: string) => {
      const last = ids.at(-1)
      if (ids.length === EXAMPLES && last !== undefined && id >= last) return
      const at = ids.findIndex((other) => id < other)
      ids.splice(at < 0 ? ids.length : at, 0, id)
      if (ids.length > EXAMPLES) ids.pop()
    },
  }
}

interface Entry {
  readonly code: Code
  readonly field: Field | null
  readonly attribute: string | null
  count: number
  readonly first: ReturnType<typeof firstIds>
  readonly by: Map<string, number>
}

/** Counts users by problem and field, in a bounded space. */
export function createTally() {
  /** By code, then by field and attribute: no text is put together for each of millions of values. */
  const entries = new Map<Code, Map<Field | null, Map<string | null, Entry>>>()
  const fields = new Set<Field>()

  const bounded = (field: Field) => {
    if (fields.has(field)) return field
    if (fields.size >= MOST_FIELDS) return 'profile.*'
    fields.add(field)
    return field
  }
  const entryOf = (code: Code, field: Field | null, attribute: string | null): Entry => {
    const byField = entries.get(code) ?? new Map<Field | null, Map<string | null, Entry>>()
    entries.set(code, byField)
    const byAttribute = byField.get(field) ?? new Map<string | null, Entry>()
    byField.set(field, byAttribute)
    const entry = byAttribute.get(attribute) ?? {
      code,
      field,
      attribute,
      count: 0,
      first: firstIds(),
      by: new Map<string, number>(),
    }
    byAttribute.set(attribute, entry)
    return entry
  }

  return {
    /** The field under which problems of a field are counted. */
    bounded,
    /** Counts a user once. Returns how bad it is. */
    add: (
      id: string | null,
      code: Code,
      at: { field?: Field; attribute?: string; scheme?: string } = {},
    ): number => {
      const field = at.field === undefined ? null : bounded(at.field)
      const entry = entryOf(code, field, at.attribute ?? null)
      entry.count++
      if (id !== null) entry.first.add(id)
      if (at.scheme !== undefined) {
        const scheme = entry.by.has(at.scheme) || entry.by.size < MOST_SCHEMES ? at.scheme : 'others'
        entry.by.set(scheme, (entry.by.get(scheme) ?? 0) + 1)
      }
      return WORST[meanings[code].severity]
    },
    all: (): Tallied[] =>
      [...entries.values()]
        .flatMap((byField) => [...byField.values()])
        .flatMap((byAttribute) => [...byAttribute.values()])
        .map(({ first, by, ...entry }) => ({ ...entry, examples: first.ids, by: Object.fromEntries(by) })),
  }
}

export type Tally = ReturnType<typeof createTally>
