import { expect, test } from 'vitest'
import { settings } from '../src/config.ts'
import { MOST_MILLIS } from '../src/hashes/recipe-compile.ts'
import { digests } from '../src/hashes/recipe-functions.ts'
import { detectionRows, detectionTotals } from './helpers/detection-page.ts'
import {
  covered,
  families,
  familyRows,
  schemeRows,
  unknownNames,
  vectorsInAll,
  withoutNul,
} from './helpers/schemes-page.ts'

// These pages are made here. After a change: npx vitest run test/docs.test.ts -u

test('docs/settings.md says what config.ts says', async () => {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const preset = 'default' in setting && setting.default !== '' ? `\`${setting.default}\`` : ''
    return `| \`${name}\`${'secret' in setting ? ' (secret)' : ''} | ${preset} | ${setting.purpose} |`
  })
  const page = `# Settings

Environment variables only. For every secret, \`NAME_FILE\` names a file that holds the value; that is what production uses.
Others must not be able to read it, and it is followed while the service runs: [secrets.md](secrets.md).
The value itself works too and is warned about. A wrong or missing setting stops the start with one message that lists all of
them and repeats no value. This page is made from \`src/config.ts\` by \`test/docs.test.ts\`.

| name | default | meaning |
| --- | --- | --- |
${rows.join('\n')}
`
  await expect(page).toMatchFileSnapshot('../docs/settings.md')
})

test('docs/schemes.md lists every scheme', async () => {
  expect(unknownNames()).toEqual([])
  expect(families.length).toBe(121)
  expect(covered()).toBeGreaterThanOrEqual(105)
  const page = `# Hash schemes

What \`hash_scheme\` may say, and what is told from \`password_hash\` alone when \`hash_scheme\` is empty. The same list as
\`carryover formats\`, where the examples are whole. This page is made by \`test/docs.test.ts\`.

Known answers: ${vectorsInAll()} in the data files of \`test/hashes/vectors\`. A recipe's are counted under every name that has that
recipe. Where a vector is a published one, its project is named.

A stored string is told *exactly* by a mark of its family, as \`$2b$\`, and *probably* by its shape alone: 13 characters of crypt
may be something else. \`carryover analyze\` counts the rows that are told only probably. [detection.md](detection.md) has what every
vector is taken for. The ceiling is the most that is read: a hash above it is counted as unverifiable (\`too-costly\`), at
the load as at the check, and no check is longer than the strictest caller waits.

| scheme | example | how it is told | ceiling | stored by | vectors | from | note |
| --- | --- | --- | --- | --- | --- | --- | --- |
${schemeRows()}

A bare digest in hex or base64 is never guessed: 32 hex digits alone fit more than ten schemes, and a wrong guess would refuse
right passwords. Such a row without \`hash_scheme\` is counted as unverifiable (\`ambiguous\`), unless \`CANDIDATE_SCHEMES_FILE\`
lists schemes to try for its cohort.

## Recipes

What cannot be told from the stored string is said in \`hash_scheme\` as an expression:

- \`$pass\` the password as sent, \`$salt\` the column \`salt\`, \`$login\` and \`$id\` of the row
- \`$salt2\`: a recipe that uses it takes the column \`salt\` for two, \`$salt\` before the first colon and \`$salt2\` after it
- \`$pepper\` the secret of that name, \`$secret_NAME\` any other one
- \`'text'\` in single quotes, with \`\\'\` \`\\\\\` \`\\0\` \`\\n\` \`\\r\` \`\\t\`; \`.\` joins bytes
- \`${[...digests.keys()].join(' ')}\` give raw bytes; \`hmac_sha256(key, text)\` and its siblings likewise
- \`hex HEX b64 unhex unb64\`; \`lower upper\` of ASCII letters; \`trim\` as PHP's; \`substr(x, from, length)\`
- \`utf16le utf16be latin1 cp1252 cp437 cp850\` for text in another encoding: what has no place in it cannot be in such a store.
  Windows and PHP mean \`cp1252\` where they say ISO 8859-1
- \`nfc nfkc saslprep\` for text in a Unicode form; \`PASSWORD_FORMS\` tries forms for every scheme
- \`repeat(n, step, x)\` makes x and takes the step n more times. The step is the name of a digest, or a recipe over \`$_\`, the
  value so far: \`repeat(4999, sha512($_.$pass.'{'.$salt.'}'), sha512($pass.'{'.$salt.'}'))\` is Symfony's, of 5,000 rounds
- \`pbkdf2_sha256(password, salt, rounds, length)\` and its siblings, \`scrypt(password, salt, n, r, p, length)\`
- the name of any scheme of the table that is not a recipe itself, around a whole recipe: \`password_hash\` is an ordinary string of
  that scheme, of x in place of the password: \`bcrypt(hex(sha256($pass)))\`, \`bcrypt($pass.$pepper)\`,
  \`sha512crypt(latin1($pass))\`, \`phpass(latin1(trim($pass)))\`, \`descrypt(upper($pass))\`. The bounds of that scheme stay. A name
  that a digest has as well means the digest; \`plaintext\` cannot stand there

A NUL in a password is a byte like any other where the origin of the hash takes it for one: digests, HMAC, PBKDF2, scrypt, Argon2
and what PHP, Java, .NET, Python and Ruby make of them. Where it ends the password (crypt(3), bcrypt, devices in C) a password with
a NUL is a mismatch, after the work of a check. Behind a recipe, what is given to such a scheme ends at its first NUL, so that
\`sha512crypt(sha256($pass))\` is what C makes of it; bcrypt counts every byte, as JavaScript, Python, Rust and Go do, except for \`$2y$\`,
which is PHP's and ends there. A NUL that was typed is a mismatch there, unless a digest takes it first. bcrypt reads 72 bytes and no more.

No password with a NUL is taken for: ${withoutNul()}.

A recipe may take ${MOST_MILLIS.typical / 1000} s on one core, and repeat a million times. A file of lines \`name = recipe\` gives recipes names of
their own for \`hash_scheme\`; lines that start with \`#\` are comments.

An empty cell of the column \`salt\` is the empty salt; \`\\N\`, \`NULL\`, JSON's null and a file without the column are none.
A salt that is kept as hex or base64 is decoded by the recipe: \`sha256(unhex($salt).$pass)\`, \`sha1(unb64($salt).$pass)\`. The
result is compared with \`password_hash\` as hex in any case, or as base64 with or without padding, told by its length.

## Families

Of ${families.length} families of stored hashes that are in use, ${covered()} are read, as these schemes or recipes. A name that
serves several families counts its vectors in each.

| row | family | read as | vectors of these | note |
| --- | --- | --- | --- | --- |
${familyRows()}
`
  await expect(page).toMatchFileSnapshot('../docs/schemes.md')
})

test('docs/detection.md says what every vector is taken for', async () => {
  const totals = detectionTotals()
  const page = `# What a stored string is taken for

What the well-formed vectors of each data file of \`test/hashes/vectors\` are taken for when \`hash_scheme\` is empty: the string alone
decides. This page is made by \`test/docs.test.ts\`, and another test sees that no string is claimed by two schemes.

| | vectors |
| --- | --- |
| told exactly, by a mark of the family | ${totals.exact} |
| told probably, by the shape alone | ${totals.probable} |
| need a scheme | ${totals['needs a scheme']} |

In this order: what stands for no hash or for a locked login (empty, \`NULL\`, \`*\`, \`!…\`, \`x\`, \`NP\`, \`LOCK\` and the like) is
refused; then the only scheme whose shape claims the string reads it; then a bare digest, in hexadecimal or base64, is
tried under the candidates of its cohort, if there are any, and is \`ambiguous\` if not; everything else is \`unrecognised\`. Nothing is ever
taken for plain text. Where two families write the same braces, what follows decides:

| string | taken for |
| --- | --- |
| \`{SHA256}\` in any case and a digest in base64 or hexadecimal | \`ldap-sha256\` |
| \`{SHA256}\` and 64 hexadecimal digits, a colon and a salt | \`joomla-sha256\` |
| \`{sha256}\` and 80 hexadecimal digits | \`spring-delegating\` |
| \`{MD5}\` and a digest in base64 or hexadecimal | \`ldap-md5\` |
| \`{MD5}\` and \`$1$\` | \`ldap-crypt\` |
| \`{MD5}\` and a salt in braces | \`spring-delegating\` |
| \`{SSHA256}\` and base64 of digest and salt | \`ldap-ssha256\` |
| \`{ssha256}\`, a cost of two digits and \`$\` | \`aix\` |
| \`{PBKDF2}\`, iterations, a salt and 20 bytes of key | \`ldap-pbkdf2\` |
| \`{PBKDF2}\`, iterations, a salt and another key | \`elasticsearch-pbkdf2\` |

A file whose vectors are told as something else holds strings that look the same in both: bcrypt over a password that was
hashed before is bcrypt to the eye, and only \`hash_scheme\` says what it is over.

| vectors of | | told exactly | told probably | need a scheme |
| --- | --- | --- | --- | --- |
${detectionRows()}
`
  await expect(page).toMatchFileSnapshot('../docs/detection.md')
})
