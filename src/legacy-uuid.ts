import { createHash } from 'node:crypto'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Where names are made UUIDs when nobody has chosen another place. Never changed: it would give everybody another id. */
export const LEGACY_NAMESPACE = '6f1c1b1e-8d0f-4c55-9d4c-2f0f8a3a6a51'

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/**
 * The UUID of a user of the old system: the old id where it is one itself, otherwise one of version 5 made of it, which is the same
 * today and tomorrow. A hook that answers with users and a target that brings them agree on who is who by it.
 */
export function uuidOf(legacyId: string, namespace: string): string {
  return isUuid(legacyId) ? legacyId : nameBasedUuid(namespace, legacyId)
}

/** RFC 9562, section 5.5. */
function nameBasedUuid(namespace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name, 'utf8')
    .digest()
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
