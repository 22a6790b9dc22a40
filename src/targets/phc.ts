import type { PortableHash } from '../portable-hash.ts'

type Kept<Kind extends PortableHash['kind']> = Extract<PortableHash, { readonly kind: Kind }>

/** Base64 without its padding, as the PHC string format has it: https://github.com/P-H-C/phc-string-format */
const b64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')

export function argon2Phc({ type, memory, passes, lanes, salt, digest }: Kept<'argon2'>): string {
  return `$${type}$v=19$m=${memory},t=${passes},p=${lanes}$${b64(salt)}$${b64(digest)}`
}

export function pbkdf2Phc({ algorithm, iterations, salt, derived }: Kept<'pbkdf2'>): string {
  return `$pbkdf2-${algorithm}$i=${iterations},l=${derived.length}$${b64(salt)}$${b64(derived)}`
}

/** The modular crypt form that every bcrypt library reads. */
export function bcryptText({ revision, cost, salt, digest }: Kept<'bcrypt'>): string {
  return `$${revision}$${String(cost).padStart(2, '0')}$${salt}${digest}`
}
