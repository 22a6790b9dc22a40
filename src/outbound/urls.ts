import { isIP } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import { CallFailure } from './call.ts'

/** Where a call goes, in the words of `https.request`. */
export interface Destination {
  /** A name, or an address without brackets. */
  readonly hostname: string
  readonly port: number
  /** Path and query as they were given, character for character. */
  readonly path: string
}

/** Throws a RangeError for what is not written as `new URL(...).host` would write it: `login.example`, `127.0.0.1:8443`. */
export function listedHosts(hosts: readonly string[]): ReadonlySet<string> {
  if (!hosts.every(isCanonical))
    throw new RangeError('a host that may be called is a name in lower case or an address, and a port')
  return new Set(hosts)
}

/** RFC 3986 without a fragment: the authority up to the first slash or question mark, a path, a query. */
const SHAPE =
  /^https:\/\/([^/?]*)(\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)?(\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?$/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/

/**
 * Where a URL leads, if that is a listed host. There is nothing in it that two readers could take in two ways: no
 * credentials, no dot segments, no characters that some reader would mend. Throws CallFailure `forbidden-address`.
 */
export function destinationOf(url: string, listed: ReadonlySet<string>): Destination {
  const [, authority = '', path = '/', query = ''] = SHAPE.exec(url) ?? []
  if (!listed.has(authority) || BROKEN_ESCAPE.test(url) || !URL.canParse(url))
    throw new CallFailure('forbidden-address')
  const read = new URL(url)
  // Written out, it says the same of the host, and the path has neither `..` nor `%2e%2e`.
  if (read.host !== authority || read.pathname !== path || read.username !== '' || read.password !== '')
    throw new CallFailure('forbidden-address')
  return {
    hostname: read.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: read.port === '' ? 443 : Number(read.port),
    path: path + query,
  }
}

/** Labels of letters, digits and hyphens (RFC 1123); no dot at the end, which names the same machine in another way. */
const NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/

function isCanonical(host: string): boolean {
  const [, name = ''] = /^([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9]\d{0,4})?$/.exec(host) ?? []
  // Numbers in other notations than four decimals (0x7f.1, 2130706433) come out of the parser changed, as does port 443.
  if (name === '' || !URL.canParse(`https://${host}/`) || new URL(`https://${host}/`).host !== host)
    return false
  if (name.startsWith('[') || isIP(name) === 4) return true
  return (
    name.length <= 253 &&
    name.split('.').every((label) => label.length <= 63 && NAME.test(label) && isPlainOrPunycode(label))
  )
}

/** Some versions of Node.js read a label that only looks like Punycode as it stands, and others as nothing. */
function isPlainOrPunycode(label: string): boolean {
  if (!label.startsWith('xn--')) return true
  const decoded = domainToUnicode(label)
  return decoded !== label && domainToASCII(decoded) === label
}
