import { isField, isPresent, valueIn } from './fields.ts'
import type { CopiedUser, Field } from './user.ts'

/** Texts, and fields between them. */
export interface Template {
  readonly parts: readonly (string | { readonly field: Field })[]
  readonly fields: readonly Field[]
}

/** Reads `{profile.given_name} {profile.family_name}`; `{{` and `}}` are braces. Says what is wrong, or what the text means. */
export function readTemplate(text: string): Template | { readonly wrong: string } {
  const parts: (string | { readonly field: Field })[] = []
  let literal = ''
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if ((character === '{' || character === '}') && text.charAt(at + 1) === character) {
      literal += character
      at++
    } else if (character === '{') {
      const end = text.indexOf('}', at)
      if (end < 0) return { wrong: 'has a brace that is not closed' }
      const field = text.slice(at + 1, end)
      if (!isField(field)) return { wrong: 'names something that is no field' }
      parts.push(literal, { field })
      literal = ''
      at = end
    } else if (character === '}') return { wrong: 'has a closing brace that was not opened' }
    else literal += character
  }
  parts.push(literal)
  const fields = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.field]))
  if (fields.length === 0) return { wrong: 'names no field' }
  return { parts: parts.filter((part) => part !== ''), fields }
}

/**
 * The text for a user, or undefined where none of the fields has a value. Where one has none, the blanks around it are not
 * left behind: `Ann  Lee` without a middle name becomes `Ann Lee`.
 */
export function fill({ parts, fields }: Template, user: CopiedUser): string | undefined {
  const texts = fields.map((field) => textOf(valueIn(user, field)))
  if (texts.every((text) => text === '')) return undefined
  let next = 0
  const filled = parts.map((part) => (typeof part === 'string' ? part : (texts[next++] ?? ''))).join('')
  const whole = texts.includes('') ? filled.replace(/ {2,}/g, ' ').trim() : filled
  return whole === '' ? undefined : whole
}

function textOf(value: unknown): string {
  if (!isPresent(value)) return ''
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
