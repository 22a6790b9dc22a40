import { MOST_LANES } from '../lanes/eks-lanes.ts'
import type { PortableHash } from '../portable-hash.ts'
import type { BcryptJob } from './bcrypt-work.ts'
import { bcrypt64OfBytes, bytesOfBcrypt64 } from './bcrypt64.ts'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import type { Lane } from './lanes.ts'
import { bcryptDigests, runLanes } from './lanes.ts'
import { portably } from './portable-form.ts'

/** One round of a check that is alone on one core of an ordinary server: cost 10 takes about 50 ms. */
const MILLIS_PER_ROUND = 0.05

/** The last characters of salt and digest carry spare bits, which are zero. */
const WHOLE = /^\$2([abxy]?)\$(\d\d)\$([./A-Za-z0-9]{21}[.Oeu])([./A-Za-z0-9]{30}[.CGKOSWaeimquy26])$/
const DECOY_SALT = 'CarryoverCarryoverCarO'
const DECOY_DIGEST = 'nobodyKnowsAPasswordForThisHas.'

export const bcrypt: Family = {
  name: 'bcrypt',
  note: '$2$, $2a$, $2b$, $2x$ and $2y$; 72 bytes of the password count',
  sources: 'PHP, Rails, Spring Security, Node.js, htpasswd -B',
  ceiling: ceilingWords.bcrypt,
  example: `$2b$10$${DECOY_SALT}${DECOY_DIGEST}`,
  shape: /^\$2[abxy]?\$/,
  read,
}

function read(encoded: string): ReadHash {
  if (!WHOLE.test(encoded)) {
    throw new HashError(
      'malformed',
      'a bcrypt hash has a two-digit cost and 53 characters of salt and digest, whose spare bits are zero',
    )
  }
  const { cost, kind, millis, decoy } = parametersOf(encoded.slice(0, encoded.indexOf('$', 1) + 4))
  // Taken apart here and not before: a load reads millions of hashes and checks none.
  const job: Lane['job'] = (password) => ({
    ...jobOf(encoded, cost, password),
    digest: bytesOfBcrypt64(encoded.slice(-DIGEST_CHARACTERS)),
  })
  return {
    scheme: bcrypt.name,
    millis,
    decoy,
    lane: { kind, most: MOST_LANES, job },
    ...portably({ matches: (password) => runLanes([job(password)])[0] === true }, () =>
      portableBcrypt(encoded, cost),
    ),
  }
}

/**
 * Everybody's bcrypt reads 72 bytes of a password and no more, so a longer one is cut alike on both sides. Where some treat
 * `$2a$` in their own way it is about bytes 0xFF, which UTF-8 has none of. Bare `$2$` and `$2x$` stand for faults that others
 * do not repeat.
 */
function portableBcrypt(encoded: string, cost: number): PortableHash | null {
  const [, revision, , salt = '', digest = ''] = WHOLE.exec(encoded) ?? []
  const known = (['2a', '2b', '2y'] as const).find((one) => one === `2${revision}`)
  return known === undefined ? null : { kind: 'bcrypt', revision: known, cost, salt, digest }
}

/** What crypt() answers for this password with the salt and the cost of a stored hash. Throws HashError. */
export function bcryptText(encoded: string, password: Uint8Array): Buffer {
  read(encoded)
  const { cost } = parametersOf(encoded.slice(0, encoded.indexOf('$', 1) + 4))
  const digest = bcryptDigests([jobOf(encoded, cost, password)])
    .map(bcrypt64OfBytes)
    .join('')
  return Buffer.from(encoded.slice(0, -DIGEST_CHARACTERS) + digest, 'latin1')
}

/** The digest that ends a stored hash, as text. */
const DIGEST_CHARACTERS = 31

/** @param encoded a hash that has been read */
function jobOf(encoded: string, cost: number, password: Uint8Array): BcryptJob {
  const [, revision = '', , salt = ''] = WHOLE.exec(encoded) ?? []
  return { revision, cost, salt: bytesOfBcrypt64(salt), password }
}

/** What all hashes of one revision and cost have in common. There are five revisions and twelve costs. */
const known = new Map<string, { cost: number; kind: string } & Pick<ReadHash, 'millis' | 'decoy'>>()

/** @param prefix up to the third dollar sign */
function parametersOf(prefix: string) {
  const found = known.get(prefix)
  if (found) return found
  const cost = affordable(Number(prefix.slice(-3, -1)), ceilings.bcrypt.cost, 'the cost of a bcrypt hash')
  const encoded = prefix + DECOY_SALT + DECOY_DIGEST
  const made = {
    cost,
    kind: `${bcrypt.name} ${cost}`,
    millis: 2 ** cost * MILLIS_PER_ROUND,
    decoy: { encoded, scheme: null, salt: null, login: '', id: '' },
  }
  known.set(prefix, made)
  return made
}
