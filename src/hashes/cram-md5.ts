import { hash, timingSafeEqual } from 'node:crypto'
import { md5State } from './digests/md5-state.ts'
import { bytesOfHex } from './encodings.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'

const WHOLE = /^\{CRAM-MD5(?:\.HEX)?\}([0-9a-f]{64})$/i
const BLOCK_BYTES = 64
const STATE_BYTES = 16

/** Dovecot's: the states of the outer and the inner MD5 of HMAC after the password, which is the key. */
export const cramMd5: HashFormat = {
  name: 'cram-md5',
  note: 'Dovecot',
  example: `{CRAM-MD5}${'6e6f626f64796b6e6f777361206d6435'.repeat(2)}`,
  shape: WHOLE,
  read,
}

function read(encoded: string): ReadHash {
  const expected = bytesOfHex(WHOLE.exec(encoded)?.[1] ?? '')
  if (expected?.length !== 32) throw new HashError('malformed', 'a CRAM-MD5 hash has 64 hexadecimal digits')
  // hashcat leaves the inner state away. The outer one is of the whole password too.
  const isWithoutInner = expected.subarray(STATE_BYTES).every((byte) => byte === 0)
  return {
    scheme: cramMd5.name,
    millis: 0.05,
    decoy: { encoded: cramMd5.example, scheme: null, salt: null, login: '', id: '' },
    matches: (password) => {
      const made = states(password)
      if (isWithoutInner) made.fill(0, STATE_BYTES)
      return timingSafeEqual(made, expected)
    },
  }
}

function states(password: Uint8Array): Buffer {
  const key = Buffer.alloc(BLOCK_BYTES)
  key.set(password.length > BLOCK_BYTES ? hash('md5', password, 'buffer') : password)
  const padded = (pad: number) => md5State(Buffer.from(key.map((byte) => byte ^ pad)))
  return Buffer.concat([padded(0x5c), padded(0x36)])
}
