import { auth0 } from './auth0.ts'
import { cidaas } from './cidaas.ts'
import { loginradius } from './loginradius.ts'
import type { TargetKind } from './target.ts'

/** Every target, in the order of the documentation. */
export const targets: readonly TargetKind[] = [auth0, cidaas, loginradius]
