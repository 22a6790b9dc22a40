import { mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface MountedSecrets {
  path(name: string): string
  /** Replaces the contents of these files and leaves the others, all at one moment. */
  put(contents: Readonly<Record<string, string>>): void
  remove(): void
}

/**
 * Secrets as Kubernetes mounts them: each name is a link into `..data`, which is a link to a directory that is replaced as
 * a whole. https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go
 */
export function mountedSecrets(): MountedSecrets {
  const directory = mkdtempSync(join(tmpdir(), 'carryover-secrets-'))
  const path = (name: string) => join(directory, name)
  let all: Record<string, string> = {}
  let moments = 0
  return {
    path,
    put: (contents) => {
      const before = moments === 0 ? undefined : readlinkSync(path('..data'))
      const known = new Set(Object.keys(all))
      all = { ...all, ...contents }
      const moment = `..moment_${moments++}`
      mkdirSync(path(moment))
      for (const [name, text] of Object.entries(all))
        writeFileSync(join(directory, moment, name), text, { mode: 0o600 })
      symlinkSync(moment, path('..data_tmp'))
      renameSync(path('..data_tmp'), path('..data'))
      for (const name of Object.keys(all)) if (!known.has(name)) symlinkSync(`..data/${name}`, path(name))
      if (before !== undefined) rmSync(path(before), { recursive: true })
    },
    remove: () => rmSync(directory, { recursive: true }),
  }
}
