import { BlockList, isIP } from 'node:net'

/**
 * What is not an address of one machine on the public internet (IANA's registries of special-purpose addresses, as of
 * 2025), and two that clouds answer with secrets at.
 */
const special = new BlockList()
for (const [network, prefix] of [
  // Unspecified and "this network".
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  // Shared with customers of a carrier (RFC 6598); Alibaba's metadata are in it.
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Link-local (RFC 3927), with the metadata of most clouds.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  // IETF protocol assignments; Oracle's metadata are in it.
  ['192.0.0.0', 24],
  // Documentation (RFC 5737), with 198.51.100.0 and 203.0.113.0.
  ['192.0.2.0', 24],
  // AS112 (RFC 7534, 7535), AMT (RFC 7450) and the relays of 6to4 (RFC 7526): never one machine.
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  // Benchmarks (RFC 2544).
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  // Multicast, reserved and broadcast.
  ['224.0.0.0', 3],
  // The host below a virtual machine of Azure.
  ['168.63.129.16', 32],
] as const)
  special.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  // IETF protocol assignments: Teredo, ORCHID, benchmarks.
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4: leads to an IPv4 address by way of somebody's relay.
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  // 6bone, given back (RFC 3701).
  ['3ffe::', 16],
  // Documentation (RFC 9637).
  ['3fff::', 20],
] as const)
  special.addSubnet(network, prefix, 'ipv6')

/** The only part of IPv6 from which global unicast addresses are given. */
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** Whether an address may be called: it is public, or in `allowed`. What is no address, or names an interface, may not. */
export function mayBeCalled(address: string, allowed: BlockList): boolean {
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 0) return false
  const embedded = version === 6 ? embeddedAddress(address) : address
  if (embedded !== null) return !special.check(embedded, 'ipv4') || allowed.check(embedded, 'ipv4')
  const isPublic = globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6')
  return isPublic || allowed.check(address, 'ipv6')
}

/** Writes an IPv4 address at the end, as it is reached: mapped (RFC 4291), and NAT64 with its well-known prefix (RFC 6052). */
const EMBEDDING = ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0']

function embeddedAddress(address: string): string | null {
  const groups = groupsOf(address)
  if (!EMBEDDING.includes(groups.slice(0, 6).join(':'))) return null
  return groups
    .slice(6)
    .map((group) => Number.parseInt(group, 16))
    .flatMap((word) => [word >> 8, word & 0xff])
    .join('.')
}

/** The eight groups of a valid IPv6 address, without leading zeros. */
function groupsOf(address: string): readonly string[] {
  // The parser of addresses in URLs writes an IPv4 ending in hexadecimal and the rest in one way (RFC 5952).
  const [head = '', tail] = new URL(`https://[${address}]/`).hostname.slice(1, -1).split('::')
  const before = head === '' ? [] : head.split(':')
  if (tail === undefined) return before
  const after = tail === '' ? [] : tail.split(':')
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
}
