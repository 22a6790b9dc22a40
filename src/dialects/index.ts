import type { Dialect } from './dialect.ts'
import { fusionauth } from './fusionauth.ts'
import { generic } from './generic.ts'
import { okta } from './okta.ts'

/** Every identity provider that can ask. */
export const dialects: readonly Dialect[] = [okta, fusionauth, generic]
