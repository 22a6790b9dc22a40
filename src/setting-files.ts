// The files that settings name: how they are read, and how a change of them is seen.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { Misfit } from './setting-texts.ts'

/** A file, or a directory of files, that a setting was read from. */
export interface ReadPath {
  readonly path: string
  /** Of the content, so that a file that was only touched is not taken for a change. */
  readonly digest: string
}

/** How a setting reads files. Every path is remembered under the setting's name, so that it can be looked at again. */
export interface SettingFiles {
  /** Throws a Misfit when it cannot be read. */
  text(path: string): string
  /** Likewise, and when it holds a secret and others than its owner may do more with it than SECRET_FILE_MODE permits. */
  secret(path: string): string
  /** Every file of a directory, by its name; each holds a secret. */
  secrets(directory: string): ReadonlyMap<string, Buffer>
}

/** Mounted secrets have links and directories besides, whose names begin with a dot. */
const SECRET_NAME = /^[a-z0-9_]{1,64}$/

/**
 * @param most permission bits that a secret's file may have at most
 * @param seen told of every path that was read
 */
export function settingFiles(most: number, seen: (read: ReadPath) => void): SettingFiles {
  const read = (path: string, most = EVERYTHING) => {
    const bytes = readRegular(path, most)
    seen({ path, digest: digestOf([bytes]) })
    return bytes.toString('utf8')
  }
  return {
    text: (path) => read(path),
    secret: (path) => read(path, most),
    secrets: (directory) => {
      const names = secretNames(directory)
      if (names === undefined) throw new Misfit('the path of a directory that can be read', 'unreadable')
      const files = new Map(
        names.map((name) => {
          return [name, withoutFinalBreak(readRegular(join(directory, name), most))]
        }),
      )
      const parts = [...files].flatMap(([name, bytes]) => [Buffer.from(`${name}:${bytes.length}:`), bytes])
      seen({ path: directory, digest: digestOf(parts) })
      return files
    },
  }
}

/**
 * Changes whenever a file, or any file of a directory of secrets, is written, replaced or removed, or its permissions
 * change. Links are followed, as orchestrators replace what a link points to.
 */
export function fingerprintOf(path: string): string {
  const own = fingerprint(path)
  if (!own.directory) return own.text
  const names = secretNames(path) ?? []
  return [own.text, ...names.map((name) => `${name} ${fingerprint(join(path, name)).text}`)].join('\n')
}

function fingerprint(path: string): { text: string; directory: boolean } {
  try {
    const stats = statSync(path, { bigint: true })
    const { dev, ino, mode, size, mtimeNs, ctimeNs } = stats
    return { text: [dev, ino, mode, size, mtimeNs, ctimeNs].join(), directory: stats.isDirectory() }
  } catch {
    return { text: 'none', directory: false }
  }
}

/** undefined: no directory that can be read. */
function secretNames(directory: string): readonly string[] | undefined {
  try {
    return readdirSync(directory).filter((name) => SECRET_NAME.test(name))
  } catch {
    return undefined
  }
}

/** For what is no secret. */
const EVERYTHING = 0o777

/** A pipe could be read once alone, and would hold up whoever looks at it again. */
function readRegular(path: string, most: number): Buffer {
  const stats = statOf(path)
  if (!stats.isFile()) throw new Misfit('the path of a regular file', 'no-file')
  refuseOpen(stats, most)
  try {
    return readFileSync(path)
  } catch {
    throw unreadable()
  }
}

function statOf(path: string): Stats {
  try {
    return statSync(path)
  } catch {
    throw unreadable()
  }
}

function unreadable(): Misfit {
  return new Misfit('readable, and the file that it names cannot be read', 'unreadable')
}

/** Group and others alone: what the owner may do is the owner's business. */
function refuseOpen({ mode }: Stats, most: number): void {
  if ((mode & 0o077 & ~most) === 0) return
  throw new Misfit(
    'kept from others, and the mode of its file permits more than SECRET_FILE_MODE: chmod 600, or set SECRET_FILE_MODE where a platform mounts it so',
    'too-open',
  )
}

function digestOf(parts: readonly Buffer[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('base64')
}

function withoutFinalBreak(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return bytes.subarray(0, text.length - (/\r?\n$/.exec(text)?.[0].length ?? 0))
}
