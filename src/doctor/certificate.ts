import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type Finding, fine, problem, warning } from './finding.ts'

/** Days. Automatic renewal begins at 30; whoever renews by hand needs some of them. */
const SOON_DAYS = 30

const DAY_MS = 86_400_000

/** The hooks listener's own certificate chain and key, as PEM. */
export function checkCertificate(tls: { readonly cert: string; readonly key: string }, now: Date): Finding[] {
  const chain = readChain(tls.cert)
  const [leaf] = chain ?? []
  if (chain === undefined || leaf === undefined)
    return [
      problem(
        'certificate',
        'TLS_CERT_FILE holds no certificate that can be read.',
        'Put the PEM chain there, the own certificate first.',
      ),
    ]
  const fits = keyFits(leaf, tls.key)
  if (fits === undefined)
    return [
      problem(
        'certificate',
        'TLS_KEY_FILE holds no private key that can be read.',
        'Put the PEM key there, without a passphrase.',
      ),
    ]
  if (!fits)
    return [
      problem(
        'certificate',
        'The key of TLS_KEY_FILE does not belong to the first certificate of TLS_CERT_FILE.',
        'Put the pair together again; the own certificate comes first in the chain.',
      ),
    ]
  const dates = datesOf(chain, now)
  const order = inOrder(chain)
    ? []
    : [
        problem(
          'certificate',
          'A certificate of TLS_CERT_FILE is not issued by the one after it.',
          'Put the own certificate first and each issuer after what it issued.',
        ),
      ]
  return [dates, ...order]
}

/** The PEM certificates of a text; undefined: one cannot be read. */
function readChain(pem: string): X509Certificate[] | undefined {
  try {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

function keyFits(leaf: X509Certificate, key: string): boolean | undefined {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key))
  } catch {
    return undefined
  }
}

function datesOf(chain: readonly X509Certificate[], now: Date): Finding {
  const begins = Math.max(...chain.map(({ validFrom }) => Date.parse(validFrom)))
  const ends = Math.min(...chain.map(({ validTo }) => Date.parse(validTo)))
  const renew = 'Renew it, and restart the service.'
  if (begins > now.getTime())
    return problem(
      'certificate',
      'The TLS certificate is not valid yet.',
      'See to the clock of this machine.',
    )
  if (ends < now.getTime())
    return problem('certificate', 'The TLS certificate, or one of its chain, has expired.', renew)
  const days = Math.floor((ends - now.getTime()) / DAY_MS)
  if (days < SOON_DAYS)
    return warning(
      'certificate',
      `The TLS certificate, or one of its chain, expires in fewer than ${SOON_DAYS} days (${days}).`,
      renew,
    )
  return fine('certificate', `The TLS certificate fits its key and is valid for ${days} days.`)
}

function inOrder(chain: readonly X509Certificate[]): boolean {
  return chain.every((certificate, at) => {
    const issuer = chain[at + 1]
    return issuer === undefined || (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))
  })
}
