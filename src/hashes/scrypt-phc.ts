import { ceilingWords } from './ceilings.ts'
import { bytesOfBase64, bytesOfPaddedBase64, unpadded } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivedKeyHash, keyBytes, malformed, saltBytes, scrypt, wholeNumber } from './key-derivation.ts'

/** Ory Kratos writes N itself where every other writes log2 of it; nobody's log2 has three digits. */
const MAX_LOG2 = 31
const WHOLE = /^\$scrypt\$(ln|n)=(\d{1,20}),r=(\d{1,9}),p=(\d{1,9})\$([^$]*)\$([^$]+)$/

/** passlib, zitadel/passwap and others with `ln`, AdonisJS with `n`. */
export const scryptPhc: Family = {
  name: 'scrypt-phc',
  sources: 'Python (passlib), Go, AdonisJS',
  ceiling: ceilingWords.scrypt,
  example: '$scrypt$ln=16,r=8,p=1$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo',
  shape: /^\$scrypt\$(?:ln=\d{1,2},|n=)/,
  read: (encoded) => {
    const parts = partsOf(encoded)
    const { setting, cost } = parts
    if (setting === 'ln' && cost < 1) throw malformed('the ln of scrypt is at least 1')
    if (setting === 'ln' && cost > MAX_LOG2) throw malformed(`the ln of scrypt is at most ${MAX_LOG2}`)
    const name = scryptPhc.name
    return readWith({
      ...parts,
      name,
      cost: setting === 'ln' ? 2 ** cost : cost,
      decode: bytesOfBase64,
      encode: bare,
    })
  },
}

export const scryptKratos: Family = {
  name: 'scrypt-kratos',
  note: 'as Ory Kratos writes it, with N itself in ln',
  sources: 'Ory Kratos',
  ceiling: ceilingWords.scrypt,
  example: '$scrypt$ln=16384,r=8,p=1$Y2FycnlvdmVyY2Fycnlvdg==$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^\$scrypt\$ln=(?:\d{3}|[^\d])/,
  shapeByName: /^\$scrypt\$/,
  read: (encoded) => {
    const name = scryptKratos.name
    return readWith({ ...partsOf(encoded), name, decode: bytesOfPaddedBase64, encode: padded })
  },
}

interface Parts {
  readonly setting: string
  readonly cost: number
  readonly width: number
  readonly lanes: number
  readonly written: string
  readonly salt: string
  readonly key: string
}

interface Reading extends Parts {
  readonly name: string
  readonly decode: (text: string) => Buffer | null
  readonly encode: (bytes: Buffer) => string
}

function partsOf(encoded: string): Parts {
  const [, setting, cost, width, lanes, salt, key] = WHOLE.exec(encoded) ?? []
  if (setting === undefined || salt === undefined || key === undefined) {
    throw malformed('an scrypt hash has ln, r and p, a salt and a key, each after a $')
  }
  return {
    setting,
    cost: wholeNumber(cost, 'the ln'),
    width: wholeNumber(width, 'the r'),
    lanes: wholeNumber(lanes, 'the p'),
    written: `$scrypt$${setting}=${cost},r=${width},p=${lanes}`,
    salt,
    key,
  }
}

function readWith({ name, decode, encode, written, salt, key, ...cost }: Reading): ReadHash {
  const expected = keyBytes(decode(key), 16, 32, 64)
  return derivedKeyHash({
    scheme: name,
    derivation: scrypt(cost, expected.length),
    salt: saltBytes(decode(salt)),
    key: expected,
    written: (otherSalt, otherKey) => `${written}$${encode(otherSalt)}$${encode(otherKey)}`,
  })
}

function bare(bytes: Buffer): string {
  return unpadded(padded(bytes))
}

function padded(bytes: Buffer): string {
  return bytes.toString('base64')
}
