import { auth0 } from './auth0.ts'
import { cognito } from './cognito.ts'
import { firebase } from './firebase.ts'
import type { SourceFormat } from './format.ts'
import { keycloak } from './keycloak.ts'
import { ldif } from './ldif.ts'
import { okta } from './okta.ts'

/** Every format of files besides CSV and JSON Lines: one file and one line here each. */
export const sourceFormats: readonly SourceFormat[] = [ldif, auth0, keycloak, firebase, cognito, okta]

/** The format of a name, as `--format` says it. */
export function formatNamed(name: string): SourceFormat | undefined {
  return sourceFormats.find((format) => format.name === name)
}

/** The format that claims an extension. */
export function formatOfExtension(extension: string): SourceFormat | undefined {
  return sourceFormats.find(({ extensions }) => extensions.includes(extension))
}

/** The format of a file that begins so. */
export function formatDetected(head: string): SourceFormat | undefined {
  return sourceFormats.find((format) => format.detect?.(head) === true)
}
