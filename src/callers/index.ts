import { basic } from './basic.ts'
import { headerSecret } from './header-secret.ts'
import type { ProofKind } from './proof.ts'
import { standardWebhooks } from './standard-webhooks.ts'

/** Every way in which a caller can show who it is. Those that a dialect has settings for are alternatives. */
export const proofKinds: readonly ProofKind[] = [headerSecret, basic, standardWebhooks]
