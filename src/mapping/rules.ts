import { isField, isObject, isPresent, valueIn, withValue } from './fields.ts'
import { MappingError, named, readJsonText } from './json.ts'
import { fill, readTemplate } from './template.ts'
import type { CopiedUser, Field, Fix, FixRule } from './user.ts'
import {
  isCountry,
  type Kind,
  kindOf,
  problemsOf,
  readAgain,
  readPhone,
  VALUE_CODES,
  visible,
} from './values.ts'

/** What rules make of a user. `changed`: the names of the rules that changed something. */
export type Applied =
  | { readonly kind: 'kept'; readonly user: CopiedUser; readonly changed: readonly string[] }
  | { readonly kind: 'left-out'; readonly rule: string }

/** In `where`: nothing is there. */
export const MISSING = 'missing'

/** Applies the rules in their order, each to what the one before it left. */
export function applyRules(user: CopiedUser, rules: readonly FixRule[]): Applied {
  let fixed = user
  const changed: string[] = []
  for (const rule of rules) {
    const value = valueIn(fixed, rule.field)
    if (!isMeant(rule, value)) continue
    if (rule.fix.kind === 'leave-out') return { kind: 'left-out', rule: rule.name }
    const better = fixedValue(rule.fix, value, fixed)
    if (better === value) continue
    const next = withValue(fixed, rule.field, better)
    if (next === fixed) continue
    fixed = next
    changed.push(rule.name)
  }
  return { kind: 'kept', user: fixed, changed }
}

function isMeant({ field, fix, where }: FixRule, value: unknown): boolean {
  const fills = fix.kind === 'default' || fix.kind === 'from'
  if (where === undefined) return isPresent(value) !== fills
  if (where === MISSING || !isPresent(value)) return where === MISSING && !isPresent(value)
  const region = fix.kind === 'phone' ? fix.region : undefined
  return problemsOf(kindIn(field, where), value, region).some((code) => code === where)
}

/** By the code, for fields whose names do not tell what they hold. */
function kindIn(field: Field, where: string): Kind {
  if (where.startsWith('email-')) return 'email'
  if (where.startsWith('phone-')) return 'phone'
  if (where.startsWith('name-')) return 'name'
  switch (where) {
    case 'not-a-boolean':
      return 'boolean'
    case 'not-a-date':
      return 'date'
    case 'not-a-locale':
    case 'locale-underscore':
      return 'locale'
    case 'not-a-zone':
      return 'zone'
    case 'not-a-uri':
      return 'uri'
  }
  return kindOf(field)
}

/** The corrected value, or the value itself where there is nothing to correct. */
function fixedValue(fix: Exclude<Fix, { kind: 'leave-out' }>, value: unknown, user: CopiedUser): unknown {
  switch (fix.kind) {
    case 'clear':
      return undefined
    case 'default':
      return fix.value
    case 'from': {
      const template = readTemplate(fix.template)
      return 'wrong' in template ? value : (fill(template, user) ?? value)
    }
    case 'phone': {
      const text = typeof value === 'number' ? String(value) : value
      const phone = typeof text === 'string' ? readPhone(text.trim(), fix.region) : null
      return phone !== null && 'e164' in phone ? phone.e164 : value
    }
  }
  return typeof value === 'string' ? fixedText(fix, value) : value
}

function fixedText(
  fix: Exclude<Fix, { kind: 'leave-out' | 'clear' | 'default' | 'from' | 'phone' }>,
  text: string,
): string {
  switch (fix.kind) {
    case 'trim':
      return text.trim()
    case 'collapse-blanks':
      return text.replace(/\s+/g, ' ')
    case 'nfkc':
      return text.normalize('NFKC')
    case 'lower-case':
      return text.toLowerCase()
    case 'strip-control-characters':
      return visible(text)
    case 'utf-8-again':
      return readAgain(text) ?? text
    case 'cut':
      return cut(text, fix.length)
    case 'replace':
      return text.replaceAll(fix.from, () => fix.to)
  }
}

/** At most so many UTF-16 units, without half a character at the end. */
function cut(text: string, length: number): string {
  if (text.length <= length) return text
  const short = text.slice(0, length)
  return (/[\ud800-\udbff]$/.test(short) ? short.slice(0, -1) : short).trimEnd()
}

/** Reads the text of a file of rules: a JSON list. Throws MappingError, with all problems. */
export function readRules(text: string): readonly FixRule[] {
  return rulesIn(readJsonText(text))
}

/** As `readRules`, of a value that was JSON. */
export function rulesIn(value: unknown): readonly FixRule[] {
  if (!Array.isArray(value))
    throw new MappingError(['rules are a list of objects with "name", "field" and "fix"'])
  const entries: readonly unknown[] = value
  const problems: string[] = []
  const names = new Set<string>()
  const rules = entries.flatMap((entry, at) => {
    const read = readRule(entry)
    if ('wrong' in read) {
      problems.push(`rule ${at + 1}: ${read.wrong}`)
      return []
    }
    if (names.has(read.name))
      problems.push(`rule ${at + 1}: ${named(read.name)} is the name of an earlier rule`)
    names.add(read.name)
    return [read]
  })
  if (problems.length > 0) throw new MappingError(problems)
  return rules
}

type Read<Value> = Value | { readonly wrong: string }

const MEMBERS: readonly string[] = ['name', 'field', 'fix', 'where'] satisfies (keyof FixRule)[]

function readRule(value: unknown): Read<FixRule> {
  if (!isObject(value)) return { wrong: 'is not an object' }
  const unknown = Object.keys(value).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) return { wrong: `${named(unknown)} is not a part of a rule` }
  const { name, field, where } = value
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name))
    return { wrong: 'name: not 1 to 64 letters of ASCII, digits, dots, hyphens and underscores' }
  if (typeof field !== 'string' || !isField(field)) return { wrong: 'field: not a field' }
  if (where !== undefined && !isCode(where)) return { wrong: 'where: not the code of a problem of one value' }
  const fix = readFix(value.fix)
  if ('wrong' in fix) return { wrong: `fix: ${fix.wrong}` }
  if ((field === 'id' || field === 'status') && fix.kind !== 'leave-out')
    return { wrong: `field: ${field} is not corrected by rules` }
  // Without a condition it would leave out everybody who has the field.
  if (fix.kind === 'leave-out' && where === undefined) return { wrong: 'where: leave-out needs one' }
  if ((field === 'login' || field === 'cohort') && fix.kind === 'clear')
    return { wrong: `field: nobody is without ${field}` }
  return { name, field, fix, ...(where !== undefined && { where }) }
}

function isCode(where: unknown): where is string {
  return typeof where === 'string' && (where === MISSING || VALUE_CODES.some((code) => code === where))
}

/** The members of each fix besides its kind. */
const FIXES: Readonly<Record<Fix['kind'], readonly string[]>> = {
  trim: [],
  'collapse-blanks': [],
  nfkc: [],
  'lower-case': [],
  'strip-control-characters': [],
  'utf-8-again': [],
  clear: [],
  phone: ['region'],
  cut: ['length'],
  replace: ['from', 'to'],
  default: ['value'],
  from: ['template'],
  'leave-out': [],
}

function readFix(value: unknown): Read<Fix> {
  if (!isObject(value) || !isFixKind(value.kind)) return { wrong: 'kind: not a kind of fix' }
  const { kind } = value
  const unknown = Object.keys(value).find((name) => name !== 'kind' && !FIXES[kind].includes(name))
  if (unknown !== undefined) return { wrong: `${named(unknown)} is not a part of ${kind}` }
  switch (kind) {
    case 'phone': {
      const { region } = value
      if (region === undefined) return { kind }
      return typeof region === 'string' && isCountry(region)
        ? { kind, region }
        : { wrong: 'region: not two capital letters of a country that is known' }
    }
    case 'cut': {
      const { length } = value
      return typeof length === 'number' && Number.isSafeInteger(length) && length > 0
        ? { kind, length }
        : { wrong: 'length: not a whole number above 0' }
    }
    case 'replace': {
      const { from, to } = value
      return typeof from === 'string' && from !== '' && typeof to === 'string'
        ? { kind, from, to }
        : { wrong: 'from, to: not two texts, the first of which has characters' }
    }
    case 'default':
      return typeof value.value === 'string' && value.value !== ''
        ? { kind, value: value.value }
        : { wrong: 'value: not a text with characters' }
    case 'from': {
      const { template } = value
      if (typeof template !== 'string') return { wrong: 'template: not a text' }
      const read = readTemplate(template)
      return 'wrong' in read ? { wrong: `template: ${read.wrong}` } : { kind, template }
    }
    case 'trim':
    case 'collapse-blanks':
    case 'nfkc':
    case 'lower-case':
    case 'strip-control-characters':
    case 'utf-8-again':
    case 'clear':
    case 'leave-out':
      return { kind }
  }
}

function isFixKind(kind: unknown): kind is Fix['kind'] {
  return typeof kind === 'string' && Object.hasOwn(FIXES, kind)
}
