import { isPresent, valueIn } from './fields.ts'
import { applyRules } from './rules.ts'
import { fill, readTemplate } from './template.ts'
import type { CopiedUser, FixRule, Mapping, Prepared } from './user.ts'

/**
 * Makes of users what the target is to have: rules applied, fields under the target's names, calculated attributes made of the
 * corrected fields. Attributes without a value are left out. The same for the same input, whenever and wherever.
 */
export function preparedBy({
  mapping,
  rules,
}: {
  readonly mapping: Mapping
  readonly rules: readonly FixRule[]
}): (user: CopiedUser) => Prepared {
  const attributesOf = attributesBy(mapping)
  return (user) => {
    const applied = applyRules(user, rules)
    if (applied.kind === 'left-out') return applied
    return { kind: 'ready', user: applied.user, attributes: attributesOf(applied.user) }
  }
}

/** What a mapping makes of users whose fields are right. Read once for many users. */
export function attributesBy(mapping: Mapping): (user: CopiedUser) => Readonly<Record<string, unknown>> {
  const fields = Object.entries(mapping.attributes)
  const calculated = Object.entries(mapping.calculated).map(
    ([name, text]) => [name, readTemplate(text)] as const,
  )
  return (user) => {
    const attributes: [string, unknown][] = []
    const add = (name: string, value: unknown) => {
      if (isPresent(value)) attributes.push([name, value])
    }
    for (const [field, name] of fields) add(name, valueIn(user, field))
    for (const [name, template] of calculated)
      add(name, 'wrong' in template ? undefined : fill(template, user))
    // Own members even for names such as __proto__.
    return Object.fromEntries(attributes)
  }
}
