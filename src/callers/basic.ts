import { acceptedSecrets } from '../secrets.ts'
import { list, Misfit } from '../setting-texts.ts'
import { proofKind, SHORT_SECRET } from './proof.ts'

/** HTTP Basic, RFC 7617: the scheme in any case, user and password in UTF-8. */
export const basic = proofKind<{ BASIC: readonly string[] }>({
  settings: {
    BASIC: {
      read: readUsers,
      secret: true,
      purpose: (title) =>
        `Comma-separated \`user:password\` with which ${title} calls by HTTP Basic. Several at once, so that one can be rotated. A password has ${SHORT_SECRET} characters or more; it may have colons, but no comma.`,
      weakness: (users) =>
        users.some((user) => passwordOf(user).length < SHORT_SECRET)
          ? `holds a password shorter than ${SHORT_SECRET} characters`
          : undefined,
      bare: (users) => users.map(passwordOf),
    },
  },
  create: ({ BASIC: users = [] }) => {
    if (users.length === 0) return null
    let accepted = acceptedSecrets(users)
    return {
      matches: ({ header }) => accepted.has(readBasic(header('authorization') ?? '') ?? ''),
      renew: ({ BASIC: next = [] }) => {
        accepted = acceptedSecrets(next)
      },
    }
  },
})

function passwordOf(user: string): string {
  return user.slice(user.indexOf(':') + 1)
}

function readUsers(text: string): readonly string[] {
  const users = list(1)(text)
  if (users.some((user) => !/^[^:]+:./u.test(user)))
    throw new Misfit('a comma-separated list of user:password')
  return users.map((user) => user.normalize('NFC'))
}

/** `user:password` in NFC, which RFC 7617 asks of both sides. null: no such header. */
export function readBasic(authorization: string): string | null {
  const [, encoded] = /^basic +([a-z0-9+/]+={0,2})$/i.exec(authorization) ?? []
  if (encoded === undefined) return null
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(encoded, 'base64'),
    )
    return text.normalize('NFC')
  } catch {
    return null
  }
}
