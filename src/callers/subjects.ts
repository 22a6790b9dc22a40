import type { X509Certificate } from 'node:crypto'
import { Misfit } from '../setting-texts.ts'

/** What of a client certificate is compared. */
export interface ClientSubject {
  readonly part: 'cn' | 'dn' | 'dns' | 'uri'
  readonly value: string
}

/** Semicolons between them: a distinguished name has commas, and RFC 4514 lets it have no bare semicolon. */
export function clientSubjects(text: string): readonly ClientSubject[] {
  return text
    .split(/(?<!\\);/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => {
      const [, part, value] = /^(cn|dn|dns|uri):(.+)$/.exec(item) ?? []
      if (part === undefined || value === undefined)
        throw new Misfit('a semicolon-separated list of cn:NAME, dn:NAME, dns:NAME or uri:NAME')
      return { part: part as ClientSubject['part'], value }
    })
}

/** Whether a certificate, which a trusted authority has signed, is of one of the subjects. */
export function isOfSubject(certificate: X509Certificate, subjects: readonly ClientSubject[]): boolean {
  return subjects.some((subject) => isOf(certificate, subject))
}

function isOf(certificate: X509Certificate, { part, value }: ClientSubject): boolean {
  switch (part) {
    case 'cn':
      return commonNameOf(certificate) === value
    case 'dn':
      return distinguishedName(certificate) === value
    case 'dns':
      return certificate.checkHost(value, SAN_ALONE) !== undefined
    case 'uri':
      return urisOf(certificate).includes(value)
  }
}

/** Neither the common name nor a wildcard of the certificate stands for a host. */
const SAN_ALONE = { subject: 'never', wildcards: false, partialWildcards: false } as const

/** undefined: none, or several, of which none is *the* common name. */
function commonNameOf(certificate: X509Certificate): string | undefined {
  const name: unknown = certificate.toLegacyObject().subject?.CN
  return typeof name === 'string' ? name : undefined
}

/** As `openssl x509 -noout -subject -nameopt RFC2253,-esc_msb` prints it: the last part first. */
export function distinguishedName({ subject }: X509Certificate): string {
  // Node has a part a line, and ` + ` between those of one; in a value both are escaped.
  return (subject ?? '')
    .split('\n')
    .reverse()
    .map((part) => part.split(' + ').reverse().join('+'))
    .join(',')
}

/** Values with a comma or a quotation mark come as JSON, so that none can look like two. */
function urisOf({ subjectAltName = '' }: X509Certificate): readonly string[] {
  const names = (subjectAltName ?? '').matchAll(/(?<=^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/g)
  return Array.from(names).flatMap(([, kind, value = '']) =>
    kind === 'URI' ? [value.startsWith('"') ? String(JSON.parse(value)) : value] : [],
  )
}
