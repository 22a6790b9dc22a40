import { isField, isObject } from './fields.ts'
import { MappingError, named, readJsonText } from './json.ts'
import { readTemplate } from './template.ts'
import type { Field, Mapping } from './user.ts'

/** UTF-16 units. No target takes longer names of attributes. */
const LONGEST_NAME = 256

const MEMBERS: readonly string[] = ['attributes', 'drop', 'calculated'] satisfies (keyof Mapping)[]

/** Drops every field of the profile that is not mapped. */
export const REST = 'profile.*'

/** Reads the text of a mapping file. What is left out is empty. Throws MappingError, with all problems. */
export function readMapping(text: string): Mapping {
  return mappingIn(readJsonText(text))
}

/** As `readMapping`, of a value that was JSON. */
export function mappingIn(value: unknown): Mapping {
  if (!isObject(value))
    throw new MappingError(['a mapping is an object with "attributes", "drop" and "calculated"'])
  const problems = Object.keys(value)
    .filter((name) => !MEMBERS.includes(name))
    .map((name) => `${named(name)} is not a part of a mapping`)
  const attributes = readAttributes(value.attributes ?? {}, problems)
  const drop = readDrop(value.drop ?? [], problems)
  const calculated = readCalculated(value.calculated ?? {}, problems)
  for (const field of drop) if (attributes.has(field)) problems.push(`drop: ${named(field)} is mapped, too`)
  for (const name of repeated([...attributes.values(), ...calculated.keys()]))
    problems.push(`attributes, calculated: ${named(name)} is given more than once`)
  if (problems.length > 0) throw new MappingError(problems)
  return {
    attributes: Object.fromEntries(attributes),
    drop,
    calculated: Object.fromEntries(calculated),
  }
}

/** Maps what the target has a name for, and leaves the rest unmapped. Of fields that the target calls by one name, the first. */
export function defaultMapping(
  { standard }: { readonly standard: Readonly<Record<string, string>> },
  fields: readonly Field[],
): Mapping {
  const taken = new Set<string>()
  const attributes = Object.entries(standard).filter(([field, name]) => {
    const wanted = !taken.has(name) && fields.some((own) => own === field || own.startsWith(`${field}.`))
    if (wanted) taken.add(name)
    return wanted
  })
  return { attributes: Object.fromEntries(attributes), drop: [], calculated: {} }
}

function readAttributes(value: unknown, problems: string[]): Map<Field, string> {
  const attributes = new Map<Field, string>()
  if (!isObject(value)) {
    problems.push('attributes: not an object of fields and names')
    return attributes
  }
  for (const [field, name] of Object.entries(value)) {
    if (!isField(field)) problems.push(`attributes: ${named(field)} is not a field`)
    else if (!isName(name)) problems.push(`attributes: ${named(field)} has no name of an attribute`)
    else attributes.set(field, name)
  }
  return attributes
}

function readDrop(value: unknown, problems: string[]): Field[] {
  if (!Array.isArray(value)) {
    problems.push('drop: not a list of fields')
    return []
  }
  const entries: readonly unknown[] = value
  const fields: Field[] = []
  for (const [at, field] of entries.entries()) {
    if (typeof field !== 'string') problems.push(`drop: entry ${at + 1} is not a text`)
    else if (field !== REST && !isField(field)) problems.push(`drop: ${named(field)} is not a field`)
    else fields.push(field)
  }
  for (const field of repeated(fields)) problems.push(`drop: ${named(field)} is there more than once`)
  return fields
}

function readCalculated(value: unknown, problems: string[]): Map<string, string> {
  const calculated = new Map<string, string>()
  if (!isObject(value)) {
    problems.push('calculated: not an object of names and templates')
    return calculated
  }
  for (const [name, template] of Object.entries(value)) {
    const read = typeof template === 'string' ? readTemplate(template) : { wrong: 'is not a text' }
    if (!isName(name)) problems.push(`calculated: ${named(name)} cannot be the name of an attribute`)
    else if ('wrong' in read) problems.push(`calculated: ${named(name)} ${read.wrong}`)
    else if (typeof template === 'string') calculated.set(name, template)
  }
  return calculated
}

function isName(value: unknown): value is string {
  return (
    typeof value === 'string' && value.trim() !== '' && value.length <= LONGEST_NAME && !/\p{Cc}/u.test(value)
  )
}

function repeated(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return names.filter((name) => seen.size === seen.add(name).size)
}
