import type { Field, Fix, FixRule } from '../mapping/user.ts'
import type { AttributeRule } from '../targets/target.ts'
import type { Code } from './codes.ts'

export interface SuggestFor {
  readonly code: Code
  /** Null: of no field that a rule can correct. */
  readonly field: Field | null
  /** What the target asks of the attribute that the field goes to. */
  readonly asked: AttributeRule | undefined
  readonly region: string | undefined
}

/** The rule that would do away with a problem, where there is one that is more than a guess. */
export function suggestionFor({ code, field, asked, region }: SuggestFor): FixRule | null {
  if (field === null || field === 'id' || field === 'status' || field === 'profile.*') return null
  const fix = fixOf(code, field, asked, region)
  if (fix === null) return null
  const name = `${code}.${field}`.replace(/[^\w.-]/g, '_').slice(0, 64)
  return { name, field, fix, ...(conditional(fix) && { where: code }) }
}

/** Fixes that would change other values, too. */
function conditional(fix: Fix): boolean {
  return fix.kind === 'replace' || fix.kind === 'clear' || fix.kind === 'strip-control-characters'
}

const STRIP: Fix = { kind: 'strip-control-characters' }
const CLEAR: Fix = { kind: 'clear' }

const FIXES: Readonly<Partial<Record<Code, Fix>>> = {
  'outer-blanks': { kind: 'trim' },
  'control-characters': STRIP,
  'bidi-controls': STRIP,
  'zero-width': STRIP,
  mojibake: { kind: 'utf-8-again' },
  'email-blank': { kind: 'replace', from: ' ', to: '' },
  'locale-underscore': { kind: 'replace', from: '_', to: '-' },
}

/** Values that say nothing. */
const CLEARED: ReadonlySet<Code> = new Set([
  'phone-invalid',
  'phone-too-short',
  'not-a-boolean',
  'not-a-date',
  'not-a-locale',
  'not-a-zone',
  'not-a-uri',
])

function fixOf(
  code: Code,
  field: Field,
  asked: AttributeRule | undefined,
  region: string | undefined,
): Fix | null {
  if (CLEARED.has(code)) return field.startsWith('profile.') && !asked?.required ? CLEAR : null
  if (code === 'phone-not-e164') return { kind: 'phone', ...(region !== undefined && { region }) }
  if (code === 'missing-attribute') return field === 'email' ? { kind: 'from', template: '{login}' } : null
  if (code === 'too-long') {
    const cuttable = asked?.most !== undefined && !asked.unique && asked.format === undefined
    return cuttable ? { kind: 'cut', length: asked.most } : null
  }
  return FIXES[code] ?? null
}
