import type { Defect } from '../domain.ts'

/** Why a row is not read, for people. */
export const defectWords: Readonly<Record<Defect, string>> = {
  missing: 'the row has no hash',
  'locked-marker': 'in place of a hash the row says that nobody may sign in',
  unrecognised: 'no known format has this shape',
  ambiguous: 'a digest alone fits many schemes: hash_scheme must say which it is',
  malformed: 'the shape or a part of the hash is wrong',
  'too-costly': 'a check would take more than this service allows',
  'unknown-scheme': 'hash_scheme names no scheme',
  'bad-recipe': 'the recipe in hash_scheme cannot be read',
  'bad-salt': 'the salt is missing or cannot be read',
  'missing-secret': 'the key that it was hardened with is not in HASH_SECRETS_DIR',
}

/** Text of rows without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?')
}

/** 1234567 as 1,234,567. */
export function whole(count: number): string {
  return count.toLocaleString('en-US')
}

/** Never 0 % of something and never 100 % of less than all. */
export function percent(part: number, all: number): string {
  if (part === 0 || all === 0) return '0 %'
  if (part === all) return '100 %'
  const share = (100 * part) / all
  if (share < 0.1) return 'under 0.1 %'
  return share > 99.9 ? 'over 99.9 %' : `${share.toFixed(1)} %`
}

/** Three digits, without an exponent. */
export function figure(value: number | null): string {
  if (value === null) return '-'
  return value >= 100 ? whole(Math.round(value)) : value.toFixed(digitsAfterPoint(value))
}

function digitsAfterPoint(value: number): number {
  if (value >= 10) return 1
  return value >= 1 ? 2 : value >= 0.001 ? 3 : 4
}

/** A cost as one name: `bcrypt, cost 10`. */
export function costName({ scheme, parameters }: { scheme: string; parameters: string }): string {
  return printable(parameters === '' ? scheme : `${scheme}, ${parameters}`)
}

/** What the engineer may expect of this machine. */
export function capacitySentence({
  perSecond,
  threads,
}: {
  perSecond: number | null
  threads: number
}): string {
  return perSecond === null
    ? 'there is nothing to check'
    : `this machine checks ${figure(perSecond)} of these rows a second with ${threads} ${threads === 1 ? 'thread' : 'threads'}, if every row is equally likely`
}
