import { REST } from './read.ts'
import { readTemplate } from './template.ts'
import type { Field, Mapping } from './user.ts'

/** What every order carries by itself, under whatever name. */
const CARRIED: readonly Field[] = ['id', 'status', 'cohort']

/** Says of a field whether the mapping has decided about it: mapped, dropped, or part of a calculated attribute; or the object that it is in. */
export function coverage(mapping: Mapping): (field: Field) => boolean {
  const decided = new Set([
    ...CARRIED,
    ...Object.keys(mapping.attributes),
    ...mapping.drop,
    ...Object.values(mapping.calculated).flatMap(fieldsOfTemplate),
  ])
  const restDropped = mapping.drop.includes(REST)
  return (field) => {
    if (restDropped && field.startsWith('profile.')) return true
    for (let end = field.length; end > 0; end = field.lastIndexOf('.', end - 1))
      if (decided.has(field.slice(0, end))) return true
    return false
  }
}

/** The fields about which a mapping says nothing. */
export function uncovered(fields: readonly Field[], mapping: Mapping): Field[] {
  const covers = coverage(mapping)
  return fields.filter((field) => !covers(field))
}

/** The fields of a template that has been read before. */
export function fieldsOfTemplate(text: string): readonly Field[] {
  const template = readTemplate(text)
  return 'wrong' in template ? [] : template.fields
}
