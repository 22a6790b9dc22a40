import { createCipheriv } from 'node:crypto'

/** One block of DES. OpenSSL 3 has no single DES; three times the same key in triple DES is the same thing. */
export function desEncrypt(key: Uint8Array, block: Uint8Array): Buffer {
  return desCbc(key, block)
}

/** DES in CBC mode from a zero block, without padding: the length is a multiple of eight bytes. */
export function desCbc(key: Uint8Array, blocks: Uint8Array): Buffer {
  const cipher = createCipheriv('des-ede3-cbc', Buffer.concat([key, key, key]), Buffer.alloc(8))
  cipher.setAutoPadding(false)
  return Buffer.concat([cipher.update(blocks), cipher.final()])
}

/** Spreads 7 bytes over the 8 of a DES key, whose lowest bits are parity that nobody checks. */
export function desKeyOfSeven(seven: Uint8Array): Buffer {
  const bits = Array.from(seven, (byte) => byte.toString(2).padStart(8, '0')).join('')
  return Buffer.from(
    Array.from({ length: 8 }, (_, index) => Number.parseInt(`${bits.slice(7 * index, 7 * index + 7)}0`, 2)),
  )
}
