import { auth0 } from './auth0.ts'
import { cognito } from './cognito.ts'
import { firebase } from './firebase.ts'
import { keycloak } from './keycloak.ts'
import { ldif } from './ldif.ts'
import { okta } from './okta.ts'
import type { SourceFormat } from './source.ts'

/** Every format that is not ours, in the order of the help. */
export const sourceFormats: readonly SourceFormat[] = [ldif, auth0, keycloak, firebase, cognito, okta]
