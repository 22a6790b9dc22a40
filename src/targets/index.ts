import { okta } from './okta.ts'
import { ory } from './ory.ts'
import type { TargetKind } from './target.ts'

/** Every target, in the order of the documentation. */
export const targets: readonly TargetKind[] = [okta, ory]
