import type { Call } from '../http.ts'
import { proofKinds } from './index.ts'
import type { CallerValues, Proof } from './proof.ts'
import { type ClientSubject, isOfSubject } from './subjects.ts'

export interface CallerPolicy {
  /** Of the proofs, by the names of their settings. */
  readonly proofs: CallerValues
  /** Of client certificates, one of which must be shown. None: no certificate is needed. */
  readonly subjects: readonly ClientSubject[]
}

export interface CallerCheck {
  /** Whether the call comes from the provider. Throws a Failure when that cannot be found out. */
  knows(call: Call): Promise<boolean>
  /** A call that was known ended in a failure. */
  unanswered(call: Call): void
  /** Other values of the same settings. */
  renew(values: CallerValues): void
}

/**
 * Every condition must hold, and one of the proofs match. Where subjects are all that is configured, the certificate is
 * the proof.
 * @param allows whether the call comes from an allowed address
 * @param mostBody bytes of a body that are read before the caller is known
 * @param more proofs that other settings than those of the kinds make
 */
export function createCallerCheck(
  { proofs: values, subjects }: CallerPolicy,
  allows: (call: Call) => boolean,
  mostBody: number,
  more: readonly Proof[] = [],
): CallerCheck {
  const proofs = [...more, ...proofKinds.flatMap((kind) => kind.create(values) ?? [])]
  const byHeaders = proofs.filter(({ needsBody }) => !needsBody)
  const byBody = proofs.filter(({ needsBody }) => needsBody)
  return {
    knows: async (call) => {
      if (!allows(call)) return false
      if (subjects.length > 0 && !isCertified(call, subjects)) return false
      if (proofs.length === 0) return subjects.length > 0
      const first = await anyMatches(byHeaders, call, NOTHING)
      if (first.known) return true
      const second = await anyMatchesBody(byBody, call, mostBody)
      if (second.known) return true
      const [failure] = [...first.failures, ...second.failures]
      if (failure !== undefined) throw failure
      return false
    },
    unanswered: (call) => {
      for (const proof of proofs) proof.unanswered?.(call)
    },
    renew: (next) => {
      for (const proof of proofs) proof.renew?.(next)
    },
  }
}

const NOTHING = Buffer.alloc(0)

interface Finding {
  readonly known: boolean
  readonly failures: readonly unknown[]
}

function isCertified(call: Call, subjects: readonly ClientSubject[]): boolean {
  const certificate = call.certificate()
  return certificate !== null && isOfSubject(certificate, subjects)
}

/** All are asked, so that the time taken does not say which one matched. */
async function anyMatches(proofs: readonly Proof[], call: Call, body: Buffer): Promise<Finding> {
  const results = await Promise.allSettled(proofs.map(async (proof) => proof.matches(call, body)))
  return {
    known: results.some((result) => result.status === 'fulfilled' && result.value),
    failures: results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])),
  }
}

/** A body that cannot be read, as it is too large or broken off, proves nothing. */
async function anyMatchesBody(proofs: readonly Proof[], call: Call, mostBody: number): Promise<Finding> {
  const possible = proofs.filter((proof) => proof.possible?.(call) ?? true)
  if (possible.length === 0) return STRANGE
  const body = await call.body(mostBody).catch(() => null)
  if (body === null) return STRANGE
  const finding = await anyMatches(possible, call, body)
  // Nobody else will: a body may hold a password.
  if (!finding.known) body.fill(0)
  return finding
}

const STRANGE: Finding = { known: false, failures: [] }
