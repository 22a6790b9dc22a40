import { coverage, fieldsOfTemplate } from '../mapping/coverage.ts'
import { fieldsOf, isPresent, valueIn } from '../mapping/fields.ts'
import { attributesBy } from '../mapping/prepare.ts'
import type { CopiedUser, Field, Mapping } from '../mapping/user.ts'
import { type Kind, kindOf, problemsOf } from '../mapping/values.ts'
import type { AttributeRule, Traits } from '../targets/target.ts'
import type { Code } from './codes.ts'
import { lookedUpBy, sameAs } from './same.ts'

/** What users are checked against. */
export interface Demands {
  /** Null: what is independent of a target. */
  readonly traits: Pick<Traits, 'attributes' | 'others' | 'sameness' | 'standard'> | null
  /** Null: nothing is said of where fields go. */
  readonly mapping: Mapping | null
  /** Of phone numbers without a country code, as `DE`. */
  readonly region: string | undefined
}

/** Something that is wrong with a user. */
export interface Fault {
  readonly code: Code
  readonly field?: Field
  readonly attribute?: string
}

/** A value that no other user of the target may have. */
export interface UniqueValue {
  readonly attribute: string
  readonly value: string
}

export interface Checked {
  readonly faults: readonly Fault[]
  readonly unique: readonly UniqueValue[]
  /** The fields in which the user has something. */
  readonly fields: readonly Field[]
}

const FORMATS: Readonly<Record<NonNullable<AttributeRule['format']>, Kind>> = {
  email: 'email',
  e164: 'phone',
  uri: 'uri',
  locale: 'locale',
  date: 'date',
  boolean: 'boolean',
  zoneinfo: 'zone',
}

/** Columns with words of ours, and the old key, which is what it is. */
const UNREAD: ReadonlySet<Field> = new Set(['id', 'status', 'cohort'])
const NOTHING: Mapping = { attributes: {}, drop: [], calculated: {} }

/**
 * Reads of users what is wrong with each by itself, after the rules were applied.
 *
 * @param bounded the field under which a field counts: profiles may have more than are told apart
 */
export function userChecker({ traits, mapping, region }: Demands, bounded: (field: Field) => Field) {
  const asked = new Map((traits?.attributes ?? []).map((rule) => [rule.name, rule]))
  const attributeOf = new Map(Object.entries((mapping ?? NOTHING).attributes))
  const fieldOf = new Map([...attributeOf].map(([field, name]) => [name, field]))
  const partsOf = new Map(
    Object.entries((mapping ?? NOTHING).calculated).map(([name, text]) => [name, fieldsOfTemplate(text)]),
  )
  const known = new Set([...asked.keys(), ...Object.values(traits?.standard ?? {})])
  const decided = decisions(mapping, attributeOf, asked)
  const attributesIn = attributesBy(mapping ?? NOTHING)
  const memo = new Map<Field, FieldPlan>()

  const planOf = (field: Field): FieldPlan => {
    const plan = memo.get(field) ?? decided(field)
    if (bounded(field) === field) memo.set(field, plan)
    return plan
  }
  const place = (attribute: string) => {
    const field = fieldOf.get(attribute)
    return field === undefined ? { attribute } : { field, attribute }
  }

  return (user: CopiedUser, copied: Pick<CopiedUser, 'login' | 'email'>): Checked => {
    const faults: Fault[] = []
    const lumped = new Set<string>()
    // Of fields that are not told apart, a user has each problem once.
    const tell = (code: Code, field: Field) => {
      const told = bounded(field)
      if (told !== field && lumped.size === lumped.add(code).size) return
      faults.push({ code, field: told })
    }
    const faulty = new Set<Field>()
    const fields = fieldsOf(user)
    for (const field of fields) {
      const plan = planOf(field)
      if (!plan.covered) tell('unmapped-field', field)
      if (plan.kind === null) continue
      for (const code of problemsOf(plan.kind, valueIn(user, field), region)) {
        tell(code, field)
        faulty.add(field)
      }
    }
    if (user.login !== copied.login && lookedUpBy(user.login) !== lookedUpBy(copied.login))
      faults.push({ code: 'login-not-looked-up', field: 'login' })
    if (planOf('email').kind !== null && isAnother(user.email, copied))
      faults.push({ code: 'email-not-looked-up', field: 'email' })
    const attributes = attributesIn(user)
    for (const [name, value] of Object.entries(attributes)) {
      const rule = asked.get(name)
      if (!known.has(name)) {
        if (traits?.others === 'refused') faults.push({ code: 'unknown-attribute', ...place(name) })
        if (traits?.others === 'defined-beforehand')
          faults.push({ code: 'attribute-to-define', ...place(name) })
      }
      if (rule === undefined) continue
      const field = fieldOf.get(name)
      // What is wrong with a value is told once, where it comes from.
      if ((field === undefined ? (partsOf.get(name) ?? []) : [field]).some((part) => faulty.has(part)))
        continue
      // What is calculated is no field, and was not looked at above.
      const [first] = field === undefined ? ofCalculated(rule, value, region) : []
      const code = first ?? shapeOf(rule, value)
      if (code !== null) faults.push({ code, ...place(name) })
    }
    for (const { name, required } of asked.values())
      if (required && !isPresent(ownIn(attributes, name)))
        faults.push({ code: 'missing-attribute', ...place(name) })
    return { faults, fields, unique: uniqueIn(attributes, traits) }
  }
}

interface FieldPlan {
  /** What the field is meant to hold; null: it stays behind, or is not looked at. */
  readonly kind: Kind | null
  readonly covered: boolean
  /** That the field goes to by itself. */
  readonly attribute: string | undefined
}

function decisions(
  mapping: Mapping | null,
  attributeOf: ReadonlyMap<Field, string>,
  asked: ReadonlyMap<string, AttributeRule>,
) {
  const covers = mapping === null ? () => true : coverage(mapping)
  const used = mapping === null ? () => true : coverage({ ...mapping, drop: [] })
  return (field: Field): FieldPlan => {
    const attribute = attributeOf.get(field)
    const format = attribute === undefined ? undefined : asked.get(attribute)?.format
    const covered = covers(field)
    const stays = UNREAD.has(field) || (covered && !used(field))
    return { kind: stays ? null : format === undefined ? kindOf(field) : FORMATS[format], covered, attribute }
  }
}

function ofCalculated(rule: AttributeRule, value: unknown, region: string | undefined): readonly Code[] {
  return problemsOf(rule.format === undefined ? 'text' : FORMATS[rule.format], value, region)
}

/** The first thing that the shape of a value is not. Numbers and truth values are measured as they are written. */
function shapeOf({ least, most, pattern }: AttributeRule, value: unknown): Code | null {
  if (typeof value === 'object') return null
  const text = String(value)
  if (least !== undefined && text.length < least) return 'too-short'
  if (most !== undefined && text.length > most) return 'too-long'
  return pattern === undefined || pattern.test(text) ? null : 'pattern'
}

function uniqueIn(attributes: Readonly<Record<string, unknown>>, traits: Demands['traits']): UniqueValue[] {
  if (traits === null) return []
  return traits.attributes.flatMap(({ name, unique }) => {
    const value = unique ? ownIn(attributes, name) : undefined
    return isPresent(value) ? [{ attribute: name, value: sameAs(traits.sameness, value) }] : []
  })
}

function ownIn(attributes: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined
}

/** Whether the copy knows nobody of these by this address. */
function isAnother(email: string | null, copied: Pick<CopiedUser, 'login' | 'email'>): boolean {
  if (email === null || email === copied.email) return false
  const name = lookedUpBy(email)
  return name !== lookedUpBy(copied.email ?? '') && name !== lookedUpBy(copied.login)
}
