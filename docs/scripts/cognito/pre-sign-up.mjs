// Amazon Cognito, Lambda for the trigger "Pre sign-up" (Node.js 20 or later). Refuses to register anew under a name that
// somebody of the old system has, who would then never sign in with the old password.
//
// Environment variables: CARRYOVER_URL, and CARRYOVER_SECRET or CARRYOVER_SIGNING_SECRET, as for the trigger "Migrate
// user". There is no password here: GENERIC_LOOKUP must be on.
import { createHmac, randomUUID } from 'node:crypto'

export async function handler(event) {
  // An administrator knows what they do, and another identity provider has proved the address.
  if (event.triggerSource !== 'PreSignUp_SignUp') return event
  const { email, preferred_username } = event.request.userAttributes ?? {}
  const names = [...new Set([email, event.userName, preferred_username])].filter(Boolean)
  const taken = await Promise.all(names.map(isTaken))
  if (taken.includes(true)) throw new Error(REFUSAL)
  return event
}

const REFUSAL = 'You already have an account. Please sign in with the password that you have used before.'

async function isTaken(identifier) {
  const { CARRYOVER_URL } = process.env
  try {
    const body = JSON.stringify({ purpose: 'lookup', identifier })
    const response = await fetch(CARRYOVER_URL, {
      method: 'POST',
      redirect: 'error',
      // Cognito waits 5 s, no longer.
      signal: AbortSignal.timeout(4000),
      headers: { 'content-type': 'application/json', ...proofOf(body) },
      body,
    })
    if (response.status === 200) {
      const { verdict } = await response.json()
      if (verdict === 'found') return true
      if (verdict === 'unknown_user') return false
    }
  } catch {
    // What the error says may hold what was typed.
  }
  // While nobody can say whether the name is taken, nobody registers.
  throw new Error('Registration is temporarily unavailable.')
}

// CARRYOVER_SIGNING_SECRET signs each call as Standard Webhooks say; without it the call has the fixed header.
function proofOf(body) {
  const { CARRYOVER_SECRET, CARRYOVER_SIGNING_SECRET } = process.env
  if (!CARRYOVER_SIGNING_SECRET) return { authorization: CARRYOVER_SECRET }
  const key = Buffer.from(CARRYOVER_SIGNING_SECRET.replace('whsec_', ''), 'base64')
  // An id is taken once, so every call has its own. The timestamp is in seconds.
  const id = `msg_${randomUUID()}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
