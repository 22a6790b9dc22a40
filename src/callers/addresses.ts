import { BlockList, isIP } from 'node:net'
import type { Call } from '../http.ts'
import { list, Misfit } from '../setting-texts.ts'

export interface AddressRange {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** Leading bits that count. */
  readonly prefix: number
}

/** `192.0.2.0/24, 2001:db8::/32, 198.51.100.7` */
export function addressRanges(text: string): readonly AddressRange[] {
  return list(1)(text).map((item) => {
    const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(item) ?? []
    const version = isIP(address)
    const widest = version === 4 ? 32 : 128
    const prefix = bits === undefined ? widest : Number(bits)
    if (version === 0 || prefix > widest)
      throw new Misfit('a comma-separated list of ADDRESS or ADDRESS/BITS')
    return { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix }
  })
}

/**
 * Whether calls may come from where they come.
 * @param ranges none: from everywhere
 * @param hops proxies in front of us; each has added to X-Forwarded-For the address that it was called from
 */
export function createAllowList(ranges: readonly AddressRange[], hops: number): (call: Call) => boolean {
  if (ranges.length === 0) return () => true
  const allowed = new BlockList()
  for (const { address, prefix, family } of ranges) allowed.addSubnet(address, prefix, family)
  return (call) => {
    const address = callerAddress(call, hops)
    return address !== null && allowed.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Counted from the right: what stands further left is whatever the caller wrote. null: unknown. */
export function callerAddress(
  { remote, header }: Pick<Call, 'remote' | 'header'>,
  hops: number,
): string | null {
  if (hops === 0) return readAddress(remote ?? '')
  const entries = (header('x-forwarded-for') ?? '').split(',')
  return readAddress(entries[entries.length - hops] ?? '')
}

/** Some proxies add the port. An IPv4 address on a socket of both families is written as one of IPv6. */
function readAddress(text: string): string | null {
  const bare = text
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
    .replace(/%.*$/s, '')
  return isIP(bare) === 0 ? null : bare
}
