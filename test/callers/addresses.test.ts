import { expect, test } from 'vitest'
import { addressRanges, callerAddress, createAllowList } from '../../src/callers/addresses.ts'
import { callWith } from '../helpers/proofs.ts'

const from = (remote: string | undefined, forwarded?: string) =>
  callWith(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }, '', { remote })

test.for([
  ['192.0.2.0', true],
  ['192.0.2.255', true],
  ['::ffff:192.0.2.7', true],
  ['192.0.3.0', false],
  ['2001:db8:1::5', true],
  ['2001:DB8:1:FFFF::', true],
  ['2001:db8:2::', false],
  ['198.51.100.7', true],
  ['198.51.100.8', false],
  ['::1', true],
  [undefined, false],
  ['', false],
] as const)('of the ranges, %s: %s', ([remote, allowed]) => {
  const ranges = addressRanges('192.0.2.0/24, 2001:db8:1::/48,198.51.100.7, ::1/128')
  expect(createAllowList(ranges, 0)(from(remote))).toBe(allowed)
})

test('without ranges, calls may come from everywhere', () => {
  expect(createAllowList(addressRanges(''), 1)(from(undefined))).toBe(true)
})

test.for([
  {
    title: 'no proxy: the header is whatever the caller wrote',
    hops: 0,
    header: '192.0.2.1',
    address: '10.0.0.1',
  },
  { title: 'one proxy', hops: 1, header: '203.0.113.5', address: '203.0.113.5' },
  {
    title: 'one proxy and a forged entry',
    hops: 1,
    header: '192.0.2.1, 203.0.113.5',
    address: '203.0.113.5',
  },
  { title: 'two proxies', hops: 2, header: '203.0.113.5, 10.0.0.2', address: '203.0.113.5' },
  {
    title: 'two proxies and a forged entry',
    hops: 2,
    header: '192.0.2.1,203.0.113.5,10.0.0.2',
    address: '203.0.113.5',
  },
  { title: 'fewer entries than proxies', hops: 2, header: '192.0.2.1', address: null },
  { title: 'no header', hops: 1, header: undefined, address: null },
  { title: 'a port', hops: 1, header: '203.0.113.5:4711', address: '203.0.113.5' },
  { title: 'IPv6 with a port', hops: 1, header: '[2001:db8::1]:4711', address: '2001:db8::1' },
  { title: 'IPv4 as IPv6', hops: 1, header: '::ffff:203.0.113.5', address: '203.0.113.5' },
  { title: 'an empty last entry', hops: 1, header: '192.0.2.1,', address: null },
  { title: 'no address', hops: 1, header: 'unknown', address: null },
])('$title', ({ hops, header, address }) => {
  expect(callerAddress(from('10.0.0.1', header), hops)).toBe(address)
})

test.for([
  '192.0.2.0/33',
  '2001:db8::/129',
  '192.0.2',
  'example.com',
  '192.0.2.1/',
  '192.0.2.1/a',
  'fe80::1%eth0',
])('%s is no range', (text) => {
  expect(() => addressRanges(text)).toThrow('a comma-separated list of ADDRESS or ADDRESS/BITS')
})
