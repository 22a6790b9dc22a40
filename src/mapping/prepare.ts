import { isPresent, valueIn } from './fields.ts'
import { applyRules } from './rules.ts'
import { fill, readTemplate } from './template.ts'
import type { CopiedUser, FixRule, Mapping, Prepared } from './user.ts'

/**
 * A user as the target is to have it: rules applied, fields under the target's names, calculated attributes made of the
 * corrected fields. Attributes without a value are left out. The same for the same input, whenever and wherever.
 */
export function prepareUser(
  user: CopiedUser,
  { mapping, rules }: { readonly mapping: Mapping; readonly rules: readonly FixRule[] },
): Prepared {
  const applied = applyRules(user, rules)
  if (applied.kind === 'left-out') return applied
  return { kind: 'ready', user: applied.user, attributes: attributesOf(applied.user, mapping) }
}

/** What a mapping makes of a user whose fields are right. */
export function attributesOf(user: CopiedUser, mapping: Mapping): Readonly<Record<string, unknown>> {
  const mapped = Object.entries(mapping.attributes).map(
    ([field, name]) => [name, valueIn(user, field)] as const,
  )
  const calculated = Object.entries(mapping.calculated).map(([name, text]) => {
    const template = readTemplate(text)
    return [name, 'wrong' in template ? undefined : fill(template, user)] as const
  })
  // Own members even for names such as __proto__.
  return Object.fromEntries([...mapped, ...calculated].filter(([, value]) => isPresent(value)))
}
