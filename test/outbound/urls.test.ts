import { describe, expect, test } from 'vitest'
import { createCaller } from '../../src/outbound/client.ts'
import { destinationOf, listedHosts } from '../../src/outbound/urls.ts'

const HOSTS = [
  'target.example',
  'target.example:8443',
  'xn--exmple-cua.example',
  '127.0.0.1:8443',
  '[2001:db8::1]:8443',
  'localhost',
]
const listed = listedHosts(HOSTS)

describe('what is called', () => {
  test.for([
    { url: 'https://target.example', hostname: 'target.example', port: 443, path: '/' },
    { url: 'https://target.example/', hostname: 'target.example', port: 443, path: '/' },
    { url: 'https://target.example?a=1', hostname: 'target.example', port: 443, path: '/?a=1' },
    { url: 'https://target.example:8443/api//v1', hostname: 'target.example', port: 8443, path: '/api//v1' },
    { url: 'https://xn--exmple-cua.example/a', hostname: 'xn--exmple-cua.example', port: 443, path: '/a' },
    { url: 'https://127.0.0.1:8443/', hostname: '127.0.0.1', port: 8443, path: '/' },
    { url: 'https://[2001:db8::1]:8443/', hostname: '2001:db8::1', port: 8443, path: '/' },
    {
      url: `https://target.example/u/${encodeURIComponent("o'brien@x/../#?")}?q=${encodeURIComponent(`a eq "o'brien" ü`)}`,
      hostname: 'target.example',
      port: 443,
      path: "/u/o'brien%40x%2F..%2F%23%3F?q=a%20eq%20%22o'brien%22%20%C3%BC",
    },
  ])('$url', ({ url, ...destination }) => {
    expect(destinationOf(url, listed)).toEqual(destination)
  })
})

/** Each leads, for one reader or another, to a listed host or away from it. */
const TRICKS: readonly (readonly [what: string, url: string])[] = [
  ['no scheme', '//target.example/'],
  ['plain http', 'http://target.example/'],
  ['a scheme in capitals', 'HTTPS://target.example/'],
  ['another scheme', 'ftp://target.example/'],
  ['a file', 'file:///etc/passwd'],
  ['data', 'data:text/plain,target.example'],
  ['one slash', 'https:/target.example/'],
  ['no slash', 'https:target.example/'],
  ['three slashes', 'https:///target.example/'],
  ['backslashes instead of slashes', 'https:\\\\target.example/'],
  ['a backslash after the host', 'https://target.example\\@evil.example/'],
  ['a backslash in the path', 'https://target.example/\\evil.example'],
  ['a host that is not listed', 'https://evil.example/'],
  ['a listed host as the beginning', 'https://target.example.evil.example/'],
  ['a listed host as the end', 'https://evil-target.example/'],
  ['a name below a listed host', 'https://a.target.example/'],
  ['another port', 'https://target.example:444/'],
  ['the usual port, written out', 'https://target.example:443/'],
  ['a port with a leading zero', 'https://target.example:08443/'],
  ['an empty port', 'https://target.example:/'],
  ['port 0', 'https://target.example:0/'],
  ['a port beyond the last', 'https://target.example:65536/'],
  ['a port that wraps around', 'https://target.example:73979/'],
  ['a user', 'https://ann@target.example/'],
  ['a listed host as a user', 'https://target.example@evil.example/'],
  ['a listed host and port as credentials', 'https://target.example:8443@evil.example/'],
  ['an empty user', 'https://@target.example/'],
  ['an empty user and password', 'https://:@target.example/'],
  ['two @', 'https://a@evil.example@target.example/'],
  ['an escaped @', 'https://target.example%40evil.example/'],
  ['an escaped slash in the host', 'https://target.example%2fevil.example/'],
  ['an escaped dot in the host', 'https://target%2eexample/'],
  ['a dot at the end', 'https://target.example./'],
  ['a dot at the beginning', 'https://.target.example/'],
  ['two dots', 'https://target..example/'],
  ['capitals', 'https://Target.Example/'],
  ['an empty host', 'https:///'],
  ['an empty host with a port', 'https://:8443/'],
  ['nothing', ''],
  ['a fragment', 'https://target.example/#@evil.example/'],
  ['a fragment right after the host', 'https://target.example#@evil.example/'],
  ['an empty fragment', 'https://target.example/#'],
  ['a space before', ' https://target.example/'],
  ['a space after', 'https://target.example/ '],
  ['a space in the host', 'https://target .example/'],
  ['a space in the path', 'https://target.example/a b'],
  ['a tab in the host', 'https://tar\tget.example/'],
  ['a tab in the scheme', 'ht\ttps://target.example/'],
  ['a line feed in the path', 'https://target.example/a\nb'],
  ['a line feed at the end', 'https://target.example/\n'],
  ['a header in the path', 'https://target.example/ HTTP/1.1\r\nHost: evil.example\r\n'],
  ['a NUL', 'https://target.example\0.evil.example/'],
  ['a soft hyphen in the host', 'https://tar\u00adget.example/'],
  ['a zero-width space in the host', 'https://target\u200b.example/'],
  ['an ideographic full stop', 'https://target。example/'],
  ['full-width letters', 'https://\uff54arget.example/'],
  ['a letter that looks the same', 'https://t\u0430rget.example/'],
  ['a name that is punycode for a listed one', 'https://exämple.example/'],
  ['punycode that stands for nothing', 'https://xn--a/'],
  ['punycode of plain letters', 'https://xn--target-.example/'],
  ['right to left', 'https://target.example/\u202e'],
  ['letters beyond ASCII in the path', 'https://target.example/ü'],
  ['half of a surrogate pair', 'https://target.example/\ud800'],
  ['dot segments', 'https://target.example/a/../b'],
  ['dot segments in escapes', 'https://target.example/a/%2e%2E/b'],
  ['a dot segment at the end', 'https://target.example/users/..'],
  ['a broken escape', 'https://target.example/%zz'],
  ['a broken escape in the query', 'https://target.example/?a=%'],
  ['quotes in the query', 'https://target.example/?a="b"'],
  ['the address in one number', 'https://2130706433/'],
  ['the address in one number, with its port', 'https://2130706433:8443/'],
  ['the address in hexadecimal', 'https://0x7f000001:8443/'],
  ['parts in hexadecimal', 'https://0x7f.0.0.0x1:8443/'],
  ['the address in octal', 'https://0177.0.0.1:8443/'],
  ['leading zeros', 'https://127.0.0.001:8443/'],
  ['the short form of two parts', 'https://127.1:8443/'],
  ['the short form of three parts', 'https://127.0.1:8443/'],
  ['an address with a dot at the end', 'https://127.0.0.1.:8443/'],
  ['a part beyond 255', 'https://127.0.0.257:8443/'],
  ['digits of another script', 'https://①②⑦.0.0.1:8443/'],
  ['IPv6 that is not listed', 'https://[::1]/'],
  ['a listed IPv6 in long', 'https://[2001:db8:0:0:0:0:0:1]:8443/'],
  ['a listed IPv6 with leading zeros', 'https://[2001:0db8::1]:8443/'],
  ['a listed IPv6 in capitals', 'https://[2001:DB8::1]:8443/'],
  ['a listed IPv6 with an interface', 'https://[2001:db8::1%25eth0]:8443/'],
  ['a listed IPv6 without brackets', 'https://2001:db8::1:8443/'],
  ['an IPv4 address as IPv6', 'https://[::ffff:127.0.0.1]:8443/'],
  ['an IPv4 address as IPv6 in hexadecimal', 'https://[::ffff:7f00:1]:8443/'],
  ['an IPv4 address in brackets', 'https://[127.0.0.1]:8443/'],
  ['an unfinished bracket', 'https://[2001:db8::1:8443/'],
  ['metadata of a cloud', 'https://169.254.169.254/latest/meta-data/'],
]

describe('what is refused', () => {
  test('there are forty tricks and more, each another one', () => {
    expect(new Set(TRICKS.map(([, url]) => url)).size).toBe(TRICKS.length)
    expect(TRICKS.length).toBeGreaterThanOrEqual(40)
  })

  test.for(TRICKS)('%s', async ([, url]) => {
    const asked: string[] = []
    const call = createCaller({
      hosts: HOSTS,
      resolve: async (name) => {
        asked.push(name)
        return []
      },
    })
    await expect(call({ method: 'GET', url })).rejects.toMatchObject({
      code: 'forbidden-address',
      message: 'the call failed: forbidden-address',
    })
    expect(asked).toEqual([])
    call.close()
  })
})

describe('hosts that are not listed as they are', () => {
  test.for([
    '',
    '.',
    ' ',
    'https://target.example',
    'target.example/',
    'Target.example',
    'target.example.',
    '.target.example',
    'a..b',
    '-a.example',
    'a-.example',
    'a_b.example',
    '*.example',
    'target.example:443',
    'target.example:0',
    'target.example:99999',
    'target.example:',
    'ann@target.example',
    'exämple.example',
    'xn--a.example',
    'xn---2pn.example',
    'xn--target-.example',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.1',
    '2130706433',
    '::1',
    '[::0001]',
    '[::FFFF:7f00:1]',
    '[::ffff:127.0.0.1]',
    'target.example\n',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(130)}example`,
  ])('%j', (host) => {
    expect(() => listedHosts(['target.example', host])).toThrow(RangeError)
  })
})
