import { auth0 } from './auth0.ts'
import { cidaas } from './cidaas.ts'
import { cognito } from './cognito.ts'
import { fusionauth } from './fusionauth.ts'
import { generic } from './generic.ts'
import { keycloak } from './keycloak.ts'
import { loginradius } from './loginradius.ts'
import { okta } from './okta.ts'
import { ory } from './ory.ts'
import type { TargetKind } from './target.ts'

/** Every target, in the order of the documentation. */
export const targets: readonly TargetKind[] = [
  okta,
  ory,
  keycloak,
  auth0,
  fusionauth,
  cidaas,
  loginradius,
  cognito,
  generic,
]
