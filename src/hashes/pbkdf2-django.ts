import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import { derivationDigests, digestNamed, keyBytes, saltBytes } from './key-derivation.ts'
import { pbkdf2Container } from './pbkdf2-container.ts'

/** Django's default since 1.4. The salt is used as the text that stands there. */
export const pbkdf2Django = pbkdf2Container({
  name: 'pbkdf2-django',
  note: 'pbkdf2_sha256, pbkdf2_sha1 and pbkdf2_sha512',
  sources: 'Django 1.4 and later',
  ceiling: ceilingWords.pbkdf2,
  example: 'pbkdf2_sha256$600000$carryovercarryoverca$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^pbkdf2_sha(?:1|256|512)\$/,
  whole: /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,20})\$([^$]*)\$([^$]+)$/,
  parts: ([named = '', iterations = '', salt = '', key = '']) => {
    const digest = digestNamed(named)
    return {
      digest,
      iterations,
      salt: saltBytes(Buffer.from(salt)),
      key: keyBytes(bytesOfPaddedBase64(key), derivationDigests[digest].bytes),
      written: (otherSalt, otherKey) =>
        `pbkdf2_${named}$${iterations}$${otherSalt}$${otherKey.toString('base64')}`,
    }
  },
})
