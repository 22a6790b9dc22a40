import { bareSecret } from '../secret-strength.ts'
import { acceptedSecrets } from '../secrets.ts'
import { list } from '../setting-texts.ts'
import { proofKind, SHORT_SECRET } from './proof.ts'

/** A fixed value of the Authorization header. */
export const headerSecret = proofKind<{ HOOK_SECRETS: readonly string[] }>({
  settings: {
    HOOK_SECRETS: {
      read: list(1),
      secret: true,
      purpose: (title) =>
        `Comma-separated; each is the complete value of the Authorization header that ${title} is configured to send, of ${SHORT_SECRET} characters or more. Several at once, so that one can be rotated. This and the other proofs of docs/callers.md are alternatives; without any there are no routes of this dialect.`,
      weakness: (secrets) =>
        secrets.some((secret) => secret.length < SHORT_SECRET)
          ? `holds a value shorter than ${SHORT_SECRET} characters`
          : undefined,
      bare: (secrets) => secrets.map(bareSecret),
    },
  },
  create: ({ HOOK_SECRETS: secrets = [] }) => {
    if (secrets.length === 0) return null
    let accepted = acceptedSecrets(secrets)
    return {
      matches: ({ header }) => accepted.has(header('authorization') ?? ''),
      renew: ({ HOOK_SECRETS: next = [] }) => {
        accepted = acceptedSecrets(next)
      },
    }
  },
})
