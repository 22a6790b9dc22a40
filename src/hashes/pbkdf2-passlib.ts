import { ceilingWords } from './ceilings.ts'
import { ab64, bytesOfAb64 } from './encodings.ts'
import { derivationDigests, digestNamed, keyBytes, saltBytes } from './key-derivation.ts'
import { pbkdf2Container } from './pbkdf2-container.ts'

/** passlib, TYPO3, Elixir and zitadel/passwap. Without a digest it is SHA-1. */
export const pbkdf2Passlib = pbkdf2Container({
  name: 'pbkdf2-passlib',
  note: '$pbkdf2$, $pbkdf2-sha256$ and $pbkdf2-sha512$ with the bare number of iterations',
  sources: 'Python (passlib), TYPO3, Elixir, ZITADEL',
  ceiling: ceilingWords.pbkdf2,
  example:
    '$pbkdf2-sha512$25000$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWg',
  shape: /^\$pbkdf2(?:-sha(?:1|256|512))?\$\d/,
  whole: /^(\$pbkdf2(?:-(sha1|sha256|sha512))?)\$(\d{1,20})\$([^$]*)\$([^$]+)$/,
  parts: ([prefix = '', named = '', iterations = '', salt = '', key = '']) => {
    const digest = named === '' ? 'sha1' : digestNamed(named)
    return {
      digest,
      iterations,
      salt: saltBytes(bytesOfAb64(salt)),
      key: keyBytes(bytesOfAb64(key), derivationDigests[digest].bytes),
      written: (otherSalt, otherKey) => `${prefix}$${iterations}$${ab64(otherSalt)}$${ab64(otherKey)}`,
    }
  },
})
