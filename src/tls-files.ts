import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'

/** Texts in PEM. */
export interface TlsContents {
  readonly cert: string
  readonly key: string
  /** Whose client certificates count. undefined: no client is asked for one. */
  readonly clientCa: string | undefined
}

/** Throws when they cannot be used together, as a certificate whose key is not there yet. */
export function checkTls({ cert, key, clientCa }: TlsContents): void {
  createSecureContext({ cert, key, ca: clientCa })
  // An empty list of authorities would mean every public one.
  if (clientCa !== undefined) new X509Certificate(clientCa)
}
