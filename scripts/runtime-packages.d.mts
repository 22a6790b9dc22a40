export interface LockEntry {
  readonly version: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: true
  readonly optional?: boolean
  readonly extraneous?: true
  readonly hasInstallScript?: true
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>
}

export interface RuntimePackage extends LockEntry {
  readonly path: string
  readonly name: string
  readonly optional: boolean
}

export interface Platform {
  readonly os: string
  readonly cpu: string
  readonly libc: string
}

export function runtimePackages(lock: Lock, options?: { readonly terminal?: boolean }): RuntimePackage[]
export function fits(entry: LockEntry, platform: Platform): boolean
export const IMAGE_PLATFORM: Platform
