import type { CopyRow } from '../../src/db/copy-cursor.ts'
import type { StoredHash } from '../../src/domain.ts'

const DIGEST = '5a'.repeat(16)
export const BCRYPT_TAIL = 'CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.'
export const BCRYPT_10 = `$2b$10$${BCRYPT_TAIL}`
export const BCRYPT_4 = `$2b$04$${BCRYPT_TAIL}`

export function stored(hash: Partial<StoredHash> = {}): StoredHash {
  return { encoded: DIGEST, scheme: 'md5', salt: null, login: 'ann', id: '1', ...hash }
}

export function copyRow(hash: Partial<StoredHash> = {}, row: Partial<CopyRow> = {}): CopyRow {
  return { cohort: 'retail', hash: stored(hash), hashShared: false, saltShared: false, ...row }
}
