import { isOneOf } from '../secrets.ts'
import { list } from '../setting-texts.ts'
import { proofKind, SHORT_SECRET } from './proof.ts'

/** A fixed value of the Authorization header. */
export const headerSecret = proofKind<{ HOOK_SECRETS: readonly string[] }>({
  settings: {
    HOOK_SECRETS: {
      read: list(1),
      secret: true,
      purpose: (title) =>
        `Comma-separated; each is the complete value of the Authorization header that ${title} is configured to send. Several at once, so that one can be rotated. This and the other proofs of docs/callers.md are alternatives; without any there are no routes of this dialect.`,
      weakness: (secrets) =>
        secrets.some((secret) => secret.length < SHORT_SECRET)
          ? `holds a value shorter than ${SHORT_SECRET} characters`
          : undefined,
    },
  },
  create: ({ HOOK_SECRETS: secrets = [] }) =>
    secrets.length === 0
      ? null
      : { matches: ({ header }) => isOneOf(header('authorization') ?? '', secrets) },
})
