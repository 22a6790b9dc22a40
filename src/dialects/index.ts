import type { Dialect } from './dialect.ts'
import { entra } from './entra.ts'
import { fusionauth } from './fusionauth.ts'
import { generic } from './generic.ts'
import { keycloak } from './keycloak.ts'
import { okta } from './okta.ts'
import { ory } from './ory.ts'

/** Every identity provider that can ask. */
export const dialects: readonly Dialect[] = [okta, ory, keycloak, fusionauth, entra, generic]
