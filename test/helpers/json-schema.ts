import { isDeepStrictEqual } from 'node:util'

type Members = Readonly<Record<string, unknown>>
export type Schema = boolean | Members

/** Where a value does not fit, and which of its members a keyword has looked at. */
interface Result {
  readonly misfits: readonly string[]
  readonly seen: readonly string[]
}

/** They say nothing about values here; `format` and `default` are annotations in 2020-12. */
const annotations = new Set([
  ...['$id', '$schema', '$defs', '$comment', '$anchor', '$dynamicAnchor'],
  ...['title', 'description', 'default', 'format', 'examples', 'deprecated'],
  // Applied together with `if`, and after all the others.
  ...['then', 'else', 'unevaluatedProperties'],
])

const FITS: Result = { misfits: [], seen: [] }
const fits = (good: boolean, path: string, keyword: string): Result =>
  good ? FITS : { misfits: [`${path} ${keyword}`], seen: [] }

/**
 * The places where a value does not fit a schema: the part of JSON Schema 2020-12 that the schema of OpenAPI 3.1 and our
 * own schemas use. A keyword that is not known here throws, so that none is passed over.
 * @param dynamic what `$dynamicRef` stands for
 */
export function misfitsOf(root: Schema, value: unknown, dynamic: Schema = true): readonly string[] {
  return check(root, value, '#').misfits

  function check(schema: Schema, at: unknown, path: string): Result {
    if (typeof schema === 'boolean') return fits(schema, path, 'false')
    const names = Object.keys(schema).filter((name) => !annotations.has(name))
    const all = both(names.map((name) => apply(name, schema[name], schema, at, path)))
    if (!('unevaluatedProperties' in schema) || !isMembers(at)) return all
    const rest = Object.keys(at).filter((name) => !all.seen.includes(name))
    return both([all, members(rest, () => schema.unevaluatedProperties as Schema, at, path)])
  }

  function apply(name: string, given: unknown, schema: Members, at: unknown, path: string): Result {
    const one = given as Schema
    const several = given as readonly Schema[]
    const named = given as Readonly<Record<string, Schema>>
    const passing = () =>
      several.map((each) => check(each, at, path)).filter(({ misfits }) => misfits.length === 0)
    switch (name) {
      case '$ref':
        return check(pointed(given as string), at, path)
      case '$dynamicRef':
        return check(dynamic, at, path)
      case 'allOf':
        return both(several.map((each) => check(each, at, path)))
      case 'anyOf':
        return passing().length > 0 ? both(passing()) : fits(false, path, name)
      case 'oneOf':
        return passing().length === 1 ? both(passing()) : fits(false, path, name)
      case 'not':
        return fits(check(one, at, path).misfits.length > 0, path, name)
      case 'if': {
        const met = check(one, at, path)
        const branch = met.misfits.length === 0 ? schema.then : schema.else
        const taken = check((branch ?? true) as Schema, at, path)
        return met.misfits.length === 0 ? both([met, taken]) : taken
      }
      case 'type':
        return fits(
          [given].flat().some((type) => isOfType(at, type)),
          path,
          name,
        )
      case 'const':
        return fits(isDeepStrictEqual(at, given), path, name)
      case 'enum':
        return fits(
          (given as unknown[]).some((each) => isDeepStrictEqual(at, each)),
          path,
          name,
        )
      case 'pattern':
        return fits(typeof at !== 'string' || new RegExp(given as string, 'u').test(at), path, name)
      case 'minimum':
        return fits(typeof at !== 'number' || at >= (given as number), path, name)
      case 'maximum':
        return fits(typeof at !== 'number' || at <= (given as number), path, name)
      case 'minItems':
        return fits(!Array.isArray(at) || at.length >= (given as number), path, name)
      case 'items':
        return Array.isArray(at)
          ? unseen(at.map((each, index) => check(one, each, `${path}/${index}`)))
          : FITS
    }
    if (!isMembers(at)) {
      if (!objectKeywords.has(name)) throw new Error(`the keyword ${name} is not known`)
      return FITS
    }
    const present = Object.keys(at)
    switch (name) {
      case 'required':
        return fits(
          (given as string[]).every((each) => each in at),
          path,
          `${name} ${given}`,
        )
      case 'minProperties':
        return fits(present.length >= (given as number), path, name)
      case 'maxProperties':
        return fits(present.length <= (given as number), path, name)
      case 'propertyNames':
        return unseen(present.map((each) => check(one, each, `${path}/${each}`)))
      case 'properties':
        return members(
          present.filter((each) => Object.hasOwn(named, each)),
          (each) => named[each] ?? true,
          at,
          path,
        )
      case 'patternProperties':
        return both(
          Object.entries(named).map(([pattern, each]) =>
            members(
              present.filter((key) => new RegExp(pattern, 'u').test(key)),
              () => each,
              at,
              path,
            ),
          ),
        )
      case 'additionalProperties': {
        const patterns = Object.keys((schema.patternProperties ?? {}) as object)
        const listed = (key: string) =>
          Object.hasOwn((schema.properties ?? {}) as object, key) ||
          patterns.some((pattern) => new RegExp(pattern, 'u').test(key))
        return members(
          present.filter((key) => !listed(key)),
          () => one,
          at,
          path,
        )
      }
      case 'dependentSchemas':
        return both(present.flatMap((key) => (key in named ? [check(named[key] ?? true, at, path)] : [])))
    }
    throw new Error(`the keyword ${name} is not known`)
  }

  function members(
    names: readonly string[],
    schemaFor: (name: string) => Schema,
    at: Members,
    path: string,
  ): Result {
    const { misfits } = both(names.map((name) => check(schemaFor(name), at[name], `${path}/${name}`)))
    return { misfits, seen: names }
  }

  function pointed(pointer: string): Schema {
    const target = pointer
      .replace(/^#\/?/, '')
      .split('/')
      .filter((part) => part !== '')
      .reduce<unknown>((at, part) => (at as Members)[part], root)
    if (target === undefined) throw new Error(`${pointer} points nowhere`)
    return target as Schema
  }
}

const objectKeywords = new Set([
  ...['required', 'minProperties', 'maxProperties', 'propertyNames', 'properties', 'patternProperties'],
  ...['additionalProperties', 'dependentSchemas'],
])

function both(results: readonly Result[]): Result {
  return { misfits: results.flatMap(({ misfits }) => misfits), seen: results.flatMap(({ seen }) => seen) }
}

function unseen(results: readonly Result[]): Result {
  return { misfits: both(results).misfits, seen: [] }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'object':
      return isMembers(value)
    case 'array':
      return Array.isArray(value)
    case 'null':
      return value === null
    case 'integer':
      return Number.isInteger(value)
    case 'string':
      return typeof value === 'string'
    case 'number':
      return typeof value === 'number'
    case 'boolean':
      return typeof value === 'boolean'
    default:
      throw new Error('there is no such type')
  }
}
