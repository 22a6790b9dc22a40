import { expect, test } from 'vitest'
import { settings } from '../src/config.ts'
import { listSchemes } from '../src/hashes/index.ts'

// These pages are made here. After a change: npx vitest run test/docs.test.ts -u

test('docs/settings.md says what config.ts says', async () => {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const preset = 'default' in setting && setting.default !== '' ? `\`${setting.default}\`` : ''
    return `| \`${name}\`${'secret' in setting ? ' (secret)' : ''} | ${preset} | ${setting.purpose} |`
  })
  const page = `# Settings

Environment variables only. For every secret, \`NAME_FILE\` names a file that holds the value; that is what production uses.
The value itself works too and is warned about. A wrong or missing setting stops the start with one message that lists all of
them and repeats no value. This page is made from \`src/config.ts\` by \`test/docs.test.ts\`.

| name | default | meaning |
| --- | --- | --- |
${rows.join('\n')}
`
  await expect(page).toMatchFileSnapshot('../docs/settings.md')
})

test('docs/schemes.md lists every scheme', async () => {
  const rows = listSchemes().map(
    ({ name, told, example, note = '' }) => `| \`${name}\` | ${told} | \`${example}\` | ${note} |`,
  )
  const page = `# Hash schemes

What \`hash_scheme\` may say, and what is told from \`password_hash\` alone when \`hash_scheme\` is empty. The same list as
\`carryover formats\`. This page is made by \`test/docs.test.ts\`.

| scheme | how it is told | example | note |
| --- | --- | --- | --- |
${rows.join('\n')}

A bare digest in hex or base64 is never guessed: 32 hex digits alone fit more than ten schemes, and a wrong guess would refuse
right passwords. Such a row without \`hash_scheme\` is counted as unverifiable (\`ambiguous\`).

## Recipes

What cannot be told from the stored string is said in \`hash_scheme\` as an expression:

- \`$pass\` the password as typed, \`$salt\` the column \`salt\`, \`$login\` and \`$id\` of the row
- \`'text'\` in single quotes, with \`\\'\` \`\\\\\` \`\\0\` \`\\n\` \`\\r\` \`\\t\`; \`.\` joins bytes
- \`md5 sha1 sha224 sha256 sha384 sha512\` give raw bytes; \`hmac_sha256(key, text)\` and its siblings likewise
- \`hex HEX b64 unhex unb64 utf16le utf16be latin1 lower upper trim\`, \`substr(x, from, length)\`

A salt that is kept as hex or base64 is decoded by the recipe: \`sha256(unhex($salt).$pass)\`, \`sha1(unb64($salt).$pass)\`. The
result is compared with \`password_hash\` as hex in any case, or as base64 with or without padding, told by its length.
`
  await expect(page).toMatchFileSnapshot('../docs/schemes.md')
})
