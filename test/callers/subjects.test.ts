import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { clientSubjects, distinguishedName, isOfSubject } from '../../src/callers/subjects.ts'
import { createAuthority, hasOpenssl, printedSubject } from '../helpers/certificates.ts'
import { callWith, checkOf } from '../helpers/proofs.ts'

describe.skipIf(!hasOpenssl)('certificates', () => {
  const authority = hasOpenssl ? createAuthority('tests') : undefined
  const certificate = (subject: string, names?: string) =>
    new X509Certificate(authority?.issue(subject, names).cert ?? '')
  const hook = () =>
    certificate(
      '/C=DE/O=Example, Inc./CN=hook caller',
      'DNS:hook.example,URI:spiffe://example/hook,DNS:*.wild.example',
    )

  test.for([
    ['cn:hook caller', true],
    ['cn:Hook caller', false],
    ['cn:hook', false],
    ['cn:hook.example', false],
    ['dn:CN=hook caller,O=Example\\, Inc.,C=DE', true],
    ['dn:C=DE,O=Example\\, Inc.,CN=hook caller', false],
    ['dn:CN=hook caller', false],
    ['dns:hook.example', true],
    ['dns:hook caller', false],
    ['dns:a.wild.example', false],
    ['uri:spiffe://example/hook', true],
    ['uri:spiffe://example/hook/x', false],
    ['uri:hook.example', false],
    ['cn:other; dns:hook.example', true],
  ] as const)('%s: %s', ([text, found]) => {
    expect(isOfSubject(hook(), clientSubjects(text))).toBe(found)
  })

  test.for([
    '/C=DE/O=Example, Inc./CN=hook',
    '/O=a+OU=b/CN=c',
    '/O=x \\+ y;z=1/CN="quoted" <a>',
    '/O=Größe/CN=日本',
    '/DC=example/DC=com/CN= spaces ',
  ])('the distinguished name of %s is as openssl prints it', (subject) => {
    const { cert } = authority?.issue(subject) ?? { cert: '' }
    expect(distinguishedName(new X509Certificate(cert))).toBe(printedSubject(cert))
  })

  test('of several common names none counts', () => {
    expect(isOfSubject(certificate('/CN=one/CN=two'), clientSubjects('cn:one;cn:two;cn:one,two'))).toBe(false)
  })

  test('a name in which another one is hidden is one name', () => {
    const hidden = certificate('/CN=x', '@names\n[names]\nURI.1=http://a/, URI:spiffe://example/hook')
    expect(isOfSubject(hidden, clientSubjects('uri:spiffe://example/hook'))).toBe(false)
    expect(isOfSubject(hidden, clientSubjects('uri:http://a/, URI:spiffe://example/hook'))).toBe(true)
  })

  test('a certificate is needed besides a proof, and is the proof where there is no other', async () => {
    const subjects = clientSubjects('cn:hook caller')
    const [shown, other] = [hook(), certificate('/CN=other')]
    const right = { authorization: 'secret' }
    const both = checkOf({ HOOK_SECRETS: 'secret' }, subjects)
    const alone = checkOf({}, subjects)
    const answers = await Promise.all([
      both.knows(callWith(right, '', { certificate: () => shown })),
      both.knows(callWith(right)),
      both.knows(callWith(right, '', { certificate: () => other })),
      both.knows(callWith({}, '', { certificate: () => shown })),
      alone.knows(callWith({}, '', { certificate: () => shown })),
      alone.knows(callWith({}, '', { certificate: () => other })),
      alone.knows(callWith({})),
    ])
    expect(answers).toEqual([true, false, false, false, true, false, false])
  })
})

test.for(['hook', 'cn:', 'cn=hook', 'san:hook', 'cn:a;hook'])('%s is no subject', (text) => {
  expect(() => clientSubjects(text)).toThrow('a semicolon-separated list of')
})
