import type { ReadHash } from '../hashes/format.ts'

/** What of a decoy is its cost, in the words of its family. Salts and digests are never among the groups. */
const PARAMETERS: readonly {
  readonly shape: RegExp
  readonly words: (found: readonly string[]) => string
}[] = [
  // $2b$10$, $bcrypt-sha256$2b,10$, $bcrypt-sha256$v=2,t=2b,r=10$, :bcrypt:10$
  {
    shape: /(?:\$2[abxy]?\$|\$bcrypt-sha256\$(?:v=2,t=)?2[abxy],(?:r=)?|:bcrypt:)(\d\d)\$/,
    words: ([cost = '']) => `cost ${Number(cost)}`,
  },
  {
    shape: /\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})/,
    words: ([m = '', t = '', p = '']) => `m=${m}, t=${t}, p=${p}`,
  },
  { shape: /[$,]rounds=(\d{1,10})[$,]/, words: ([rounds = '']) => `${rounds} rounds` },
  { shape: /pbkdf2[-_a-z0-9]*[:$](?:i=)?(\d{2,8})[:$,]/i, words: ([count = '']) => `${count} iterations` },
]

/** How a check's cost is called, as `cost 10`; empty where the family has one cost or a name for it is not known. */
export function parametersOf({ decoy }: ReadHash): string {
  const encoded = decoy.encoded ?? ''
  for (const { shape, words } of PARAMETERS) {
    const found = shape.exec(encoded)
    if (found !== null) return words(found.slice(1))
  }
  return ''
}

/** Two digits tell costs apart that differ by more than a machine's own noise. */
export function roundedMillis(millis: number): number {
  return Number(millis.toPrecision(2))
}
