import { cognito } from './cognito.ts'
import { fusionauth } from './fusionauth.ts'
import { generic } from './generic.ts'
import { keycloak } from './keycloak.ts'
import type { TargetKind } from './target.ts'

/** Every target, in the order of the documentation. */
export const targets: readonly TargetKind[] = [keycloak, fusionauth, cognito, generic]
