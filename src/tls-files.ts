import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { errorCode } from './errors.ts'
import type { Log } from './log.ts'

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly clientCa: string | undefined
}

/** Their PEM. */
export interface TlsContents {
  readonly cert: string
  readonly key: string
  /** Whose client certificates count. undefined: no client is asked for one. */
  readonly clientCa: string | undefined
}

/** Throws when the files cannot be read, or cannot be used together. */
export function readTls({ cert, key, clientCa }: TlsFiles): TlsContents {
  const text = (path: string) => readFileSync(path, 'utf8')
  const contents = { cert: text(cert), key: text(key), clientCa: clientCa && text(clientCa) }
  createSecureContext({ cert: contents.cert, key: contents.key, ca: contents.clientCa })
  // An empty list of authorities would mean every public one.
  if (contents.clientCa !== undefined) new X509Certificate(contents.clientCa)
  return contents
}

/**
 * Looks whether the files have changed. What cannot be used is told to the log and left alone until the next look, as a
 * certificate may be there a moment before its key.
 * @param inUse what `renew` need not be told of
 */
export function tlsRenewal(
  files: TlsFiles,
  inUse: TlsContents,
  renew: (contents: TlsContents) => void,
  log: Log,
): () => void {
  let current = inUse
  return () => {
    try {
      const { cert, key, clientCa } = readTls(files)
      if (cert === current.cert && key === current.key && clientCa === current.clientCa) return
      renew({ cert, key, clientCa })
      current = { cert, key, clientCa }
      log({ event: 'certificates-renewed' })
    } catch (error) {
      log({ event: 'certificates-unusable', code: errorCode(error) })
    }
  }
}
