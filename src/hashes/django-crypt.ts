import { ceilingWords } from './ceilings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { CRYPT } from './ldap-crypt.ts'
import { readWrapped } from './wrapped.ts'

const WHOLE = /^(crypt\$([./0-9A-Za-z]{0,64})\$)(.+)$/s
const DES_CHARACTERS = 13

/** UnixCryptHasher of Django: the output of crypt(3), which has the salt in front. Before Django 1.4 the salt stood apart too. */
export const djangoCrypt: Family = {
  name: 'django-crypt',
  aliases: ['django-des-crypt'],
  note: 'crypt$$ or crypt$salt$, and a hash of crypt(3)',
  sources: 'Django',
  ceiling: ceilingWords.inner,
  example: 'crypt$$CaCarryover..',
  shape: /^crypt\$[./0-9A-Za-z]{0,64}\$/,
  read(encoded, stored) {
    const [, prefix, salt, inner] = WHOLE.exec(encoded) ?? []
    if (prefix === undefined || salt === undefined || inner === undefined)
      throw new HashError('malformed', 'a Django crypt hash has a salt, which may be empty, and a hash')
    const format = CRYPT.find(({ shape }) => shape.test(inner))
    if (!format) throw new HashError('malformed', 'behind crypt$ stands a hash of crypt(3)')
    if (salt !== '' && inner.length === DES_CHARACTERS && salt.slice(0, 2) !== inner.slice(0, 2))
      throw new HashError('malformed', 'the salt is the one that the hash begins with')
    // The decoy has a salt of its own.
    return readWrapped({ name: 'django-crypt', wrap: (text) => `crypt$$${text}` }, format, inner, stored)
  },
}
