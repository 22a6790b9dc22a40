import { hash } from 'node:crypto'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { comparedText } from './compared.ts'
import { crypt64, selfContained } from './crypt64.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'

/** Every hash has these, and perhaps more. */
const LEAST_ROUNDS = 4096
const MILLIS_PER_ROUND = 0.004
const DIGEST = '[./0-9A-Za-z]{21}[./01]'
/** The digest covers the setting as it is written, with its last dollar when two follow the salt. */
const WHOLE = new RegExp(
  `^(\\$md5(?:[,$]rounds=([1-9]\\d{0,9}))?\\$(?!rounds=)[./0-9A-Za-z]{0,32}\\$?)\\$(${DIGEST})$`,
)
const ORDER = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11]
const DECOY_DIGEST = '.'.repeat(22)

/** Hamlet, act 3, scene 1, in the edition of Project Gutenberg that Alec Muffett took, with a NUL at its end. */
const SOLILOQUY = Buffer.from(`To be, or not to be,--that is the question:--
Whether 'tis nobler in the mind to suffer
The slings and arrows of outrageous fortune
Or to take arms against a sea of troubles,
And by opposing end them?--To die,--to sleep,--
No more; and by a sleep to say we end
The heartache, and the thousand natural shocks
That flesh is heir to,--'tis a consummation
Devoutly to be wish'd. To die,--to sleep;--
To sleep! perchance to dream:--ay, there's the rub;
For in that sleep of death what dreams may come,
When we have shuffled off this mortal coil,
Must give us pause: there's the respect
That makes calamity of so long life;
For who would bear the whips and scorns of time,
The oppressor's wrong, the proud man's contumely,
The pangs of despis'd love, the law's delay,
The insolence of office, and the spurns
That patient merit of the unworthy takes,
When he himself might his quietus make
With a bare bodkin? who would these fardels bear,
To grunt and sweat under a weary life,
But that the dread of something after death,--
The undiscover'd country, from whose bourn
No traveller returns,--puzzles the will,
And makes us rather bear those ills we have
Than fly to others that we know not of?
Thus conscience does make cowards of us all;
And thus the native hue of resolution
Is sicklied o'er with the pale cast of thought;
And enterprises of great pith and moment,
With this regard, their currents turn awry,
And lose the name of action.--Soft you now!
The fair Ophelia!--Nymph, in thy orisons
Be all my sins remember'd.
\0`)

export const sunmd5: Family = {
  name: 'sunmd5',
  note: 'Solaris',
  sources: 'Solaris',
  ceiling: ceilingWords.sunMd5,
  example: `$md5,rounds=904$Carryove$$${DECOY_DIGEST}`,
  // Kratos has other hashes behind $md5$, which end in base64 with padding.
  shape: /^\$md5(?:[,$]rounds=|\$[./0-9A-Za-z]{0,32}\$\$?[./0-9A-Za-z]{22}$)/,
  read(encoded) {
    const [, setting, digits, digest] = WHOLE.exec(encoded) ?? []
    if (setting === undefined || digest === undefined) {
      throw new HashError('malformed', 'a sunmd5 hash has perhaps rounds, a salt and 22 characters of digest')
    }
    const more = affordable(Number(digits ?? 0), ceilings.sunMd5.rounds, 'the rounds of a sunmd5 hash')
    return {
      scheme: 'sunmd5',
      millis: (LEAST_ROUNDS + more) * MILLIS_PER_ROUND,
      decoy: selfContained(
        `$md5${digits === undefined ? '' : `,rounds=${digits}`}$Carryove$$${DECOY_DIGEST}`,
      ),
      ...comparedText(digest, (password) => digestOf(password, setting, LEAST_ROUNDS + more)),
    }
  },
}

function digestOf(password: Uint8Array, setting: string, rounds: number): string {
  let digest = hash('md5', Buffer.concat([password, Buffer.from(setting)]), 'buffer')
  for (let round = 0; round < rounds; round += 1) {
    const quotation = tossed(digest, round) ? [SOLILOQUY] : []
    digest = hash('md5', Buffer.concat([digest, ...quotation, Buffer.from(String(round))]), 'buffer')
  }
  return crypt64(Uint8Array.from(ORDER, (at) => digest[at] ?? 0))
}

/** Muffett's coin: two bits that the digest picks out of itself by way of sixteen others. */
function tossed(digest: Buffer, round: number): number {
  const one = picked(digest, 0) >>> bitAt(digest, round)
  const other = picked(digest, 8) >>> bitAt(digest, round + 64)
  return bitAt(digest, one) ^ bitAt(digest, other)
}

function picked(digest: Buffer, from: number): number {
  let bits = 0
  for (let at = 0; at < 8; at += 1) {
    const a = digest[(from + at) % 16] ?? 0
    const b = digest[(from + at + 3) % 16] ?? 0
    const byte = digest[(a >>> (b % 5)) % 16] ?? 0
    bits |= bitAt(digest, byte >>> ((b >>> (a % 8)) & 1)) << at
  }
  return bits
}

function bitAt(digest: Buffer, at: number): number {
  return ((digest[(at % 128) >>> 3] ?? 0) >>> (at % 8)) & 1
}
