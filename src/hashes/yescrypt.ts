import { scryptSync } from 'node:crypto'
import { affordable, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { CRYPT64, crypt64, numberOfCrypt64, sameBytes, selfContained } from './crypt64.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { scryptMemory } from './key-derivation.ts'
import { streebog256, streebogHmac } from './streebog.ts'
import type { YescryptCost } from './yescrypt-core.ts'
import { yescrypt as yescryptDigest } from './yescrypt-core.ts'

const MILLIS_PER_KIBIBYTE = 0.02
/** Of a short hash, what is not the mixing. */
const MILLIS_AT_LEAST = 2

const WHOLE = /^\$(g?y)\$(j[./0-9A-Za-z]{1,14})\$([./0-9A-Za-z]{0,86})\$([./0-9A-Za-z]{42}[./0-9A-D])$/
const DECOY_SALT = 'CarryoverCarryoverCar.'
const DECOY_DIGEST = '.'.repeat(43)

export const yescrypt = yescryptFormat('yescrypt', 'y')
/** The same in an HMAC of Streebog, for systems that must use Russian standards. */
export const gostYescrypt = yescryptFormat('gost-yescrypt', 'gy')

function yescryptFormat(name: string, id: 'y' | 'gy'): Family {
  return {
    name,
    note: 'with the flavour j',
    sources: id === 'y' ? 'Debian 11, Ubuntu 22.04, Fedora 35 and later' : 'ALT Linux',
    ceiling: ceilingWords.yescrypt,
    example: `$${id}$j9T$${DECOY_SALT}$${DECOY_DIGEST}`,
    shape: new RegExp(`^\\$${id}\\$`),
    read: (encoded) => read(encoded, name),
  }
}

function read(encoded: string, name: string): ReadHash {
  const [, id, parameters, salt, digest] = WHOLE.exec(encoded) ?? []
  if (id === undefined || parameters === undefined || salt === undefined || digest === undefined) {
    throw new HashError('malformed', `a ${name} hash has parameters from j on, a salt and a digest`)
  }
  const cost = costOf(parameters, name)
  const saltBytes = bytesOfCrypt64(salt)
  if (!saltBytes || !isWithin(saltBytes.length, ceilings.yescrypt.saltBytes))
    throw new HashError(
      'malformed',
      `a ${name} hash has at most ${ceilings.yescrypt.saltBytes.most} bytes of salt`,
    )
  const setting = Buffer.from(encoded.slice(0, -DECOY_DIGEST.length - 1))
  return {
    scheme: name,
    millis: MILLIS_AT_LEAST + ((128 * cost.n * cost.r) / 1024) * MILLIS_PER_KIBIBYTE,
    memory: 128 * cost.n * cost.r,
    decoy: selfContained(`$${id}$${parameters}$${DECOY_SALT}$${DECOY_DIGEST}`),
    matches: (password) => {
      const made = yescryptDigest(password, saltBytes, cost)
      return sameBytes(crypt64(id === 'gy' ? gostDigest(password, setting, made) : made), digest)
    },
  }
}

/** The setting is the whole string before the digest, without the dollar between them. */
function gostDigest(password: Uint8Array, setting: Uint8Array, made: Uint8Array): Buffer {
  return streebogHmac(streebogHmac(streebog256(password), setting), made)
}

function costOf(parameters: string, name: string): YescryptCost {
  const [log2, r, ...more] = numbersIn(parameters.slice(1))
  if (log2 === undefined || r === undefined || more.length > 0) {
    throw new HashError('malformed', `the parameters of a ${name} hash are its flavour, its N and its r`)
  }
  const n = affordable(2 ** (log2 + 1), ceilings.yescrypt.n, `the N of a ${name} hash`)
  affordable(128 * n * (r + 1), ceilings.yescrypt.bytes, `the memory of a ${name} hash in bytes`)
  return { n, r: r + 1 }
}

/** Numbers of one to six digits: the first digit tells how many follow. Empty if the last one is cut off. */
function numbersIn(text: string): number[] {
  const numbers: number[] = []
  for (let at = 0; at < text.length; ) {
    const { value, digits } = numberAt(text, at)
    if (at + digits > text.length) return []
    numbers.push(value)
    at += digits
  }
  return numbers
}

/** Of the 64 digits the first 48 stand for themselves, half of the rest start two digits, and so on. */
function numberAt(text: string, at: number): { value: number; digits: number } {
  const lead = CRYPT64.indexOf(text.charAt(at))
  let [start, end, digits, value] = [0, 47, 1, 0]
  while (lead > end) {
    value += (end + 1 - start) * 64 ** (digits - 1)
    start = end + 1
    end = start + Math.floor((62 - end) / 2)
    digits += 1
  }
  value += (lead - start) * 64 ** (digits - 1)
  for (let place = 1; place < digits; place += 1)
    value += CRYPT64.indexOf(text.charAt(at + place)) * 64 ** (digits - 1 - place)
  return { value, digits }
}

/** Reads what `crypt64` writes; null when it has spare bits that are not zero. */
function bytesOfCrypt64(text: string): Buffer | null {
  const groups = text.match(/.{1,4}/g) ?? []
  const bytes = groups.flatMap((group) => {
    const number = numberOfCrypt64(group)
    return Array.from({ length: Math.floor((group.length * 6) / 8) }, (_, at) => (number >>> (8 * at)) & 255)
  })
  return crypt64(Buffer.from(bytes)) === text ? Buffer.from(bytes) : null
}

const SCRYPT_WHOLE =
  /^\$7\$([./0-9A-Za-z])([./0-9A-Za-z]{5})([./0-9A-Za-z]{5})([\x20-\x7e]{0,128})\$([./0-9A-Za-z]{42}[./0-9A-D])$/
/** Sixteen MiB, one lane: 45 ms. The work grows with the lanes, the memory does not. */
const SCRYPT_MILLIS_PER_KIBIBYTE = 0.0027

/** The salt is its characters, not what they might encode. */
export const scrypt7: Family = {
  name: 'scrypt-7',
  note: '$7$ of libxcrypt and libsodium',
  sources: 'Linux (libxcrypt), libsodium',
  ceiling: ceilingWords.scrypt,
  example: `$7$CU..../....${DECOY_SALT}$${DECOY_DIGEST}`,
  shape: /^\$7\$/,
  read(encoded) {
    const [, log2, rDigits, pDigits, salt, digest] = SCRYPT_WHOLE.exec(encoded) ?? []
    if (
      log2 === undefined ||
      rDigits === undefined ||
      pDigits === undefined ||
      salt === undefined ||
      digest === undefined
    ) {
      throw new HashError('malformed', 'a $7$ hash has 11 characters of parameters, a salt and a digest')
    }
    const cost = affordableScrypt(
      2 ** CRYPT64.indexOf(log2),
      numberOfCrypt64(rDigits),
      numberOfCrypt64(pDigits),
    )
    return {
      scheme: 'scrypt-7',
      millis: scryptMillis(cost),
      memory: scryptMemory({ cost: cost.N, width: cost.r, lanes: cost.p }),
      decoy: selfContained(`$7$${log2}${rDigits}${pDigits}${DECOY_SALT}$${DECOY_DIGEST}`),
      matches: (password) =>
        sameBytes(crypt64(scryptSync(password, Buffer.from(salt, 'latin1'), 32, cost)), digest),
    }
  },
}

interface ScryptCost {
  readonly N: number
  readonly r: number
  readonly p: number
  readonly maxmem: number
}

function affordableScrypt(N: number, r: number, p: number): ScryptCost {
  const cost = { N, r, p, maxmem: scryptMemory({ cost: N, width: r, lanes: p }) + 1024 }
  affordable(r, ceilings.scrypt.r, 'the r of scrypt')
  affordable(p, ceilings.scrypt.p, 'the p of scrypt')
  affordable(N, ceilings.scrypt.n, 'the N of scrypt')
  affordable(128 * N * r, ceilings.scrypt.bytes, 'the memory of scrypt in bytes')
  affordable(scryptMillis(cost), ceilings.scrypt.millis, 'the milliseconds of scrypt')
  return cost
}

function scryptMillis({ N, r, p }: ScryptCost): number {
  return ((128 * N * r * p) / 1024) * SCRYPT_MILLIS_PER_KIBIBYTE + 0.05
}
