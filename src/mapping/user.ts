/** A row of the copy, as far as it is brought to a target. `status` as in `domain.ts`. */
export interface CopiedUser {
  readonly id: string
  readonly login: string
  readonly email: string | null
  readonly status: 'active' | 'disabled' | 'locked'
  readonly cohort: string
  readonly profile: Readonly<Record<string, unknown>>
}

/** A field of a user: `id`, `login`, `email`, `status`, `cohort`, or `profile.NAME`. */
export type Field = string

/**
 * Where every field goes. The JSON of a mapping file, which people review and keep. A field of the copy that is neither
 * mapped nor dropped is an error.
 */
export interface Mapping {
  /** Field to the target's attribute name. */
  readonly attributes: Readonly<Record<Field, string>>
  /** Fields that stay behind; `profile.*` for all that are not mapped. */
  readonly drop: readonly Field[]
  /** Attributes that are made of others: `{"displayName": "{profile.given_name} {profile.family_name}"}`. */
  readonly calculated: Readonly<Record<string, string>>
}

/** A declared correction: previewed, applied and undone by its name. Applied while users are read; the copy stays as it is. */
export interface FixRule {
  readonly name: string
  readonly field: Field
  readonly fix: Fix
  /** Only users whose value has this problem, by its code in the report, or `missing`; absent: every value. */
  readonly where?: string
}

export type Fix =
  | { readonly kind: 'trim' | 'collapse-blanks' | 'nfkc' | 'lower-case' | 'strip-control-characters' }
  | { readonly kind: 'clear' }
  /** UTF-8 that was once taken for Windows-1252, read as what it was: `CafÃ©` as `Café`. */
  | { readonly kind: 'utf-8-again' }
  /** To E.164; `region` for numbers without a country code. */
  | { readonly kind: 'phone'; readonly region?: string }
  /** `length` in UTF-16 units. */
  | { readonly kind: 'cut'; readonly length: number }
  | { readonly kind: 'replace'; readonly from: string; readonly to: string }
  /** For users without a value, as `from` is. */
  | { readonly kind: 'default'; readonly value: string }
  /** Of other fields' values, as in `Mapping.calculated`. */
  | { readonly kind: 'from'; readonly template: string }
  /** The user is not brought. */
  | { readonly kind: 'leave-out' }

/** A user as the target is to have it, before the credential. */
export type Prepared =
  | {
      readonly kind: 'ready'
      readonly user: CopiedUser
      readonly attributes: Readonly<Record<string, unknown>>
    }
  /** A rule leaves the user out. */
  | { readonly kind: 'left-out'; readonly rule: string }
