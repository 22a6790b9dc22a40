import type { CopiedUser, Field } from './user.ts'

const OWN: ReadonlySet<string> = new Set(['id', 'login', 'email', 'status', 'cohort'])
const PROFILE = 'profile.'

/** Levels of nested profile objects whose members count as fields of their own. What lies deeper belongs to the field above it. */
const DEEPEST = 4

/** Whether a text names a field: `login`, `profile.given_name`, `profile.address.locality`. */
export function isField(text: string): boolean {
  return OWN.has(text) || (text.startsWith(PROFILE) && text.length > PROFILE.length && text !== 'profile.*')
}

/** Whether a field has a value worth bringing: null and the empty text are none. */
export function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

/**
 * A user's value of a field. A profile's own name counts first, dots and all; otherwise the part before a dot names an object
 * that has the rest. Names that JavaScript gives a meaning are names like any other.
 */
export function valueIn(user: CopiedUser, field: Field): unknown {
  switch (field) {
    case 'id':
      return user.id
    case 'login':
      return user.login
    case 'email':
      return user.email
    case 'status':
      return user.status
    case 'cohort':
      return user.cohort
  }
  const steps = stepsTo(user.profile, field.slice(PROFILE.length))
  return steps.reduce<unknown>(
    (inside, name) => (isObject(inside) && Object.hasOwn(inside, name) ? inside[name] : undefined),
    user.profile,
  )
}

/** The user with another value of `login`, `email`, `cohort` or a profile field; undefined: without it. Nothing is changed in place. */
export function withValue(user: CopiedUser, field: Field, value: unknown): CopiedUser {
  switch (field) {
    case 'id':
    case 'status':
      return user
    case 'login':
    case 'cohort':
      // Nobody is without these: what would leave nothing leaves what was.
      return typeof value === 'string' && value !== '' ? { ...user, [field]: value } : user
    case 'email':
      return { ...user, email: typeof value === 'string' && value !== '' ? value : null }
  }
  const steps = stepsTo(user.profile, field.slice(PROFILE.length))
  return { ...user, profile: withMember(user.profile, steps, value) }
}

/** The fields in which a user has something, by their innermost names. */
export function fieldsOf(user: CopiedUser): Field[] {
  const fields: Field[] = ['id', 'login', 'status', 'cohort']
  if (isPresent(user.email)) fields.push('email')
  addMembers(fields, PROFILE, user.profile, 1)
  return fields
}

function addMembers(
  fields: Field[],
  prefix: string,
  object: Readonly<Record<string, unknown>>,
  level: number,
) {
  for (const name of Object.keys(object)) {
    const value = object[name]
    if (isObject(value) && level < DEEPEST) addMembers(fields, `${prefix}${name}.`, value, level + 1)
    else if (isPresent(value)) fields.push(prefix + name)
  }
}

/** The names on the way to a member. Of one that is not there: as it would be made, an object for every dot. */
function stepsTo(profile: Readonly<Record<string, unknown>>, path: string): readonly string[] {
  const steps: string[] = []
  let inside: unknown = profile
  let rest = path
  while (!(isObject(inside) && Object.hasOwn(inside, rest))) {
    const dot = nextDot(inside, rest)
    if (dot < 0) break
    const name = rest.slice(0, dot)
    steps.push(name)
    inside = isObject(inside) && Object.hasOwn(inside, name) ? inside[name] : undefined
    rest = rest.slice(dot + 1)
  }
  return [...steps, rest]
}

/** The first dot with an object before it, else the first of all. Neither side of it is empty. */
function nextDot(inside: unknown, rest: string): number {
  let first = -1
  for (let dot = rest.indexOf('.', 1); dot > 0 && dot < rest.length - 1; dot = rest.indexOf('.', dot + 1)) {
    if (first < 0) first = dot
    const name = rest.slice(0, dot)
    if (isObject(inside) && Object.hasOwn(inside, name) && isObject(inside[name])) return dot
  }
  return first
}

function withMember(
  object: Readonly<Record<string, unknown>>,
  [name = '', ...rest]: readonly string[],
  value: unknown,
): Readonly<Record<string, unknown>> {
  const own = Object.hasOwn(object, name) ? object[name] : undefined
  if (rest.length > 0) {
    // What is no object has no members, and is not thrown away for one.
    if (own !== undefined && own !== null && !isObject(own)) return object
    if (own === undefined && value === undefined) return object
    return { ...object, [name]: withMember(isObject(own) ? own : {}, rest, value) }
  }
  if (value !== undefined) return { ...object, [name]: value }
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name))
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
