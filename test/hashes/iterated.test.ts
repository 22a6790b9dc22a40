import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { iterated } from '../../src/hashes/iterated.ts'

const message = Buffer.from('salt and password')

test.for(['md5', 'sha1', 'sha256', 'sha384', 'sha512'])('%s of itself', (digest) => {
  let expected: Buffer = message
  for (let count = 1; count <= 100; count += 1) {
    expected = createHash(digest).update(expected).digest()
    expect(iterated(digest, message, count)).toEqual(expected)
  }
})
