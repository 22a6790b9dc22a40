import { createHash } from 'node:crypto'
import { affordable, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { base64, digest, digestFormat, hex, zeroFilled } from './digest-format.ts'
import { textOfUtf8 } from './encodings.ts'
import { malformed } from './key-derivation.ts'

const SYBASE_BYTES = 510

export const sybaseAse = digestFormat({
  name: 'sybase-ase',
  sources: 'Sybase ASE, SAP ASE',
  ceiling: ceilingWords.fixed,
  example: `0xc0076361727279303030${'5a'.repeat(32)}`,
  shape: /^0xc007[0-9a-f]{80}$/i,
  parts: (encoded) => {
    const bytes = hex(encoded.slice(6))
    return {
      expected: bytes.subarray(8),
      digestOf: (password) => {
        const wide = Buffer.from(textOfUtf8(password) ?? '', 'utf16le').swap16()
        if (wide.length > SYBASE_BYTES) return null
        return digest('sha256', zeroFilled(wide, SYBASE_BYTES), bytes.subarray(0, 8))
      },
    }
  },
})

const QNX = /^@([msS])(?:,(\d{1,9}))?@([0-9a-f]+)@([^@]{1,64})$/
const QNX_DIGESTS: Readonly<Record<string, string>> = { m: 'md5', s: 'sha256', S: 'sha512' }
const QNX_ROUNDS = 1000

export const qnx = digestFormat({
  name: 'qnx',
  note: 'MD5, SHA-256 and SHA-512 of QNX 6',
  sources: 'QNX 6',
  ceiling: ceilingWords.qnx,
  example: `@s@${'5a'.repeat(32)}@carryovercarryov`,
  shape: /^@[msS](?:,\d{1,9})?@[0-9a-f]{32,128}@[^@]{1,64}$/,
  millis: 20,
  parts: (encoded) => {
    const [, kind = '', rounds, digits = '', salt = ''] = QNX.exec(encoded) ?? []
    const algorithm = QNX_DIGESTS[kind] ?? 'sha256'
    const count = affordable(Number(rounds ?? QNX_ROUNDS), ceilings.qnx.rounds, 'the rounds of a QNX hash')
    const expected = hex(digits)
    if (expected.length !== digest(algorithm).length) throw malformed('the digest of a QNX hash is complete')
    return {
      expected,
      digestOf: (password) => {
        if (!isWithin(password.length, ceilings.qnx.passwordBytes)) return null
        const hash = createHash(algorithm).update(salt)
        for (let round = 0; round <= count; round += 1) hash.update(password)
        return hash.digest()
      },
    }
  },
})

export const rsaNetwitness = digestFormat({
  name: 'rsa-netwitness',
  sources: 'RSA NetWitness',
  ceiling: ceilingWords.fixed,
  example: `${'5A'.repeat(32)}:Y2FycnlvdmVyY2Fycg==`,
  shape: /^[0-9A-F]{64}:[A-Za-z0-9+/]{10,64}={1,2}$/,
  probable: true,
  shapeByName: /^[0-9a-f]{64}:[A-Za-z0-9+/]{2,64}={0,2}$/i,
  parts: (encoded) => {
    const [digits = '', salt = ''] = encoded.split(':')
    const salted = base64(salt)
    return {
      expected: hex(digits),
      digestOf: (password) =>
        digest('sha256', Buffer.from(digest('sha256', password).toString('hex').toUpperCase()), salted),
    }
  },
})
