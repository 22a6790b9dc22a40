// Logto, Action "inlineHook.postFirstFactorVerification". Runs whenever Logto finds a password wrong, of anybody, for ever.
// Carryover keeps the old password from coming back: VERIFIED_GRACE_SECONDS after the first match it matches no longer.
//
// Environment variables of the action:
//   CARRYOVER_URL             https://carryover.example/verify
//   CARRYOVER_SECRET          the complete value of the Authorization header, one of GENERIC_HOOK_SECRETS
const runAction = async ({ event, environmentVariables = {} }) => {
  const { identifier, password, user: existing } = event
  let told
  try {
    const body = JSON.stringify({ purpose: 'login', identifier: identifier.value, password })
    const response = await fetch(environmentVariables.CARRYOVER_URL, {
      method: 'POST',
      // A redirect could lead to somebody who says yes.
      redirect: 'error',
      headers: { 'content-type': 'application/json', ...proofOf(body, environmentVariables) },
      body,
    })
    if (response.status !== 200) throw new Error('no answer')
    told = await response.json()
  } catch (_error) {
    // What the error says may hold what was typed. Any error of a script refuses the sign-in.
    throw new Error('Sign-in is temporarily unavailable.')
  }
  // Nothing at all is Logto's no.
  if (told.verdict !== 'match' || !told.user) return undefined

  const { user } = told
  const customData = { ...(existing?.customData ?? {}), legacyUserId: String(user.id) }
  // What somebody has changed in Logto stays as it is.
  if (existing) return { action: 'updateUser', passwordVerified: true, user: { customData } }

  // Logto takes an address for proved, so only a proved one goes in, or the one that was typed to sign in with.
  const created = { customData }
  if (user.email && user.email_verified === true) created.primaryEmail = user.email
  if (identifier.type === 'email') created.primaryEmail = identifier.value
  if (identifier.type === 'username') created.username = identifier.value
  if (identifier.type === 'phone') created.primaryPhone = identifier.value
  if (user.name) created.name = user.name
  if (user.picture) created.avatar = user.picture
  const profile = {}
  if (user.given_name) profile.givenName = user.given_name
  if (user.family_name) profile.familyName = user.family_name
  if (Object.keys(profile).length > 0) created.profile = profile
  return { action: 'createUser', passwordVerified: true, user: created }
}

// CARRYOVER_SIGNING_SECRET signs each call as Standard Webhooks say; without it the call has the fixed header.
function proofOf(body, { CARRYOVER_SECRET, CARRYOVER_SIGNING_SECRET }) {
  if (!CARRYOVER_SIGNING_SECRET) return { authorization: CARRYOVER_SECRET }
  // An id is taken once, so every call has its own. It need not be secret. The timestamp is in seconds.
  const id = `msg_${Date.now()}${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const text = unescape(encodeURIComponent(`${id}.${timestamp}.${body}`))
  const key = fromBase64(CARRYOVER_SIGNING_SECRET.replace('whsec_', ''))
  const signature = toBase64(
    hmacSha256(
      key,
      [...text].map((byte) => byte.charCodeAt(0)),
    ),
  )
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

// Logto gives a script `fetch` and nothing else of Node's or the web's, so what signs is written out. Bytes are arrays of
// numbers.

// RFC 2104
function hmacSha256(key, message) {
  const short = key.length > 64 ? sha256(key) : key
  const padded = [...short, ...Array(64 - short.length).fill(0)]
  const inner = sha256([...padded.map((byte) => byte ^ 0x36), ...message])
  return sha256([...padded.map((byte) => byte ^ 0x5c), ...inner])
}

// FIPS 180-4, section 6.2
function sha256(message) {
  const primes = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  const fraction = (root) => ((root % 1) * 2 ** 32) | 0
  const constants = primes.map((prime) => fraction(Math.cbrt(prime)))
  const state = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)))
  const turn = (word, by) => (word >>> by) | (word << (32 - by))

  const zeros = Array((119 - (message.length % 64)) % 64).fill(0)
  const bits = message.length * 8
  const bytes = [...message, 0x80, ...zeros, 0, 0, 0, 0, bits >>> 24, bits >>> 16, bits >>> 8, bits]
  for (let block = 0; block < bytes.length; block += 64) {
    const words = []
    for (let t = 0; t < 64; t++) {
      const [b0, b1, b2, b3] = bytes.slice(block + t * 4, block + t * 4 + 4)
      if (t < 16) words.push((b0 << 24) | ((b1 & 255) << 16) | ((b2 & 255) << 8) | (b3 & 255))
      else {
        const [far, near] = [words[t - 15], words[t - 2]]
        const before = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3)
        const after = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10)
        words.push((words[t - 16] + before + words[t - 7] + after) | 0)
      }
    }
    let [a, b, c, d, e, f, g, h] = state
    for (let t = 0; t < 64; t++) {
      const first =
        h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[t] + words[t]
      const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
      ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
    }
    for (const [place, word] of [a, b, c, d, e, f, g, h].entries()) state[place] = (state[place] + word) | 0
  }
  return state.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255])
}

function fromBase64(text) {
  const digits = [...text.replace(/=+$/, '')].map((digit) => DIGITS.indexOf(digit))
  const bytes = []
  for (let at = 0; at + 1 < digits.length; at++)
    if (at % 4 < 3)
      bytes.push(((digits[at] << (2 + 2 * (at % 4))) | (digits[at + 1] >> (4 - 2 * (at % 4)))) & 255)
  return bytes
}

function toBase64(bytes) {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('')
  const digits = (bits.match(/.{1,6}/g) ?? []).map((six) => DIGITS[Number.parseInt(six.padEnd(6, '0'), 2)])
  return digits.join('') + '='.repeat((4 - (digits.length % 4)) % 4)
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
