import { auth0 } from './auth0.ts'
import { cidaas } from './cidaas.ts'
import { okta } from './okta.ts'
import { ory } from './ory.ts'
import type { TargetKind } from './target.ts'

/** Every target, in the order of the documentation. */
export const targets: readonly TargetKind[] = [okta, ory, auth0, cidaas]
