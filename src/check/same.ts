import type { Traits } from '../targets/target.ts'

const FOLDS: Readonly<Record<Traits['sameness'][number], (text: string) => string>> = {
  trim: (text) => text.trim(),
  nfkc: (text) => text.normalize('NFKC'),
  // The final sigma is an ordinary one.
  case: (text) => text.toLowerCase().replaceAll('ς', 'σ'),
  diacritics: (text) => text.normalize('NFD').replace(/\p{M}/gu, '').normalize('NFC'),
}

/** A value as a target compares it: two values with one such text are one for it. */
export function sameAs(sameness: Traits['sameness'], value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return sameness.reduce((folded, fold) => FOLDS[fold](folded), text)
}

/** What sign-ins look a name up by: `carryover.name_key`. */
export function lookedUpBy(name: string): string {
  return sameAs(['nfkc', 'trim', 'case'], name)
}
