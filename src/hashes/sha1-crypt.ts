import { createHmac } from 'node:crypto'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { crypt64, sameBytes, selfContained } from './crypt64.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'

const MILLIS_PER_ROUND = 0.0026
const WHOLE = /^\$sha1\$(0|[1-9]\d{0,9})\$([./0-9A-Za-z]{0,64})\$([./0-9A-Za-z]{28})$/
const DECOY_DIGEST = '.'.repeat(28)

/** NetBSD's crypt-sha1.c: a chain of HMACs. */
export const sha1crypt: Family = {
  name: 'sha1crypt',
  sources: 'NetBSD, Juniper',
  ceiling: ceilingWords.sha1Crypt,
  example: `$sha1$20000$Carryove$${DECOY_DIGEST}`,
  shape: /^\$sha1\$\d/,
  read(encoded) {
    const [, digits, salt, digest] = WHOLE.exec(encoded) ?? []
    if (digits === undefined || salt === undefined || digest === undefined || digits === '0') {
      throw new HashError(
        'malformed',
        'a sha1crypt hash has rounds, a salt of at most 64 characters and 28 characters of digest',
      )
    }
    const rounds = affordable(Number(digits), ceilings.sha1Crypt.rounds, 'the rounds of a sha1crypt hash')
    return {
      scheme: 'sha1crypt',
      millis: rounds * MILLIS_PER_ROUND,
      decoy: selfContained(`$sha1$${rounds}$Carryove$${DECOY_DIGEST}`),
      matches: (password) => isDigest(chained(password, `${salt}$sha1$${rounds}`, rounds), digest),
    }
  },
}

function chained(password: Uint8Array, message: string, rounds: number): Buffer {
  let digest = Buffer.from(message)
  for (let round = 0; round < rounds; round += 1)
    digest = createHmac('sha1', password).update(digest).digest()
  return digest
}

/** Groups of three bytes, the first one highest. The byte that is left over is the first again; in JunOS it is 0. */
function isDigest(made: Buffer, digits: string): boolean {
  return [made.subarray(0, 1), Buffer.alloc(1)].some((filler) => {
    const filled = Buffer.concat([made, filler])
    return sameBytes(crypt64(filled.map((_, at) => filled[at - (at % 3) + 2 - (at % 3)] ?? 0)), digits)
  })
}
