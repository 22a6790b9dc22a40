import type { Dialect } from './dialect.ts'
import { entra } from './entra.ts'
import { okta } from './okta.ts'

/** Every identity provider that can ask. */
export const dialects: readonly Dialect[] = [okta, entra]
