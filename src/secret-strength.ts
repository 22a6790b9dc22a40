// Which secrets are none, whatever their length.

/** One secret of a setting. */
export interface HeldSecret {
  readonly setting: string
  /** What would have to be guessed: of a header the token alone, of user and password the password. */
  readonly bare: string
}

/** Published, in the specification and the libraries of Standard Webhooks. */
const PUBLISHED = ['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'C2FVsBQIhrscChlQIMV+b5sSYspob7oD'].map((key) =>
  Buffer.from(key, 'base64').toString('latin1'),
)

/** What stands in the examples of manuals, ours included, in place of a secret. */
const SAMPLE_WORDS =
  /change[-_ ]?me|replace[-_ ]?(?:me|this)|your|secrets?|password|passwd|pass|example|sample|default|insert|here|admin|token|bearer|basic|hook|next|xyz|abc|0123456789|1234567890|12345678/gi

/** Letters and digits that must be left of a secret without those words. */
const LEAST_OWN = 8

/** 32 random digits have fewer once in ten million times. */
const LEAST_DIFFERENT = 6

/** What is wrong with a secret, to be said after its setting's name; undefined: nothing that can be seen. */
export function guessable(bare: string): string | undefined {
  if (PUBLISHED.includes(bare)) return 'holds a key that is published in manuals'
  const own = bare.replace(SAMPLE_WORDS, '').replace(/[^\p{L}\p{N}]/gu, '')
  if (isText(bare) && own.length < LEAST_OWN) return 'holds a sample as manuals have it, in place of a secret'
  if (new Set(bare).size < LEAST_DIFFERENT || isRepeated(bare))
    return 'holds a secret that is a short text repeated'
  return undefined
}

/** Settings that hold the same secret, each pair once: whoever has the one would have the other. */
export function sharedSecrets(secrets: readonly HeldSecret[]): readonly (readonly [string, string])[] {
  const found = new Map<string, readonly [string, string]>()
  for (const [at, { setting, bare }] of secrets.entries())
    for (const other of secrets.slice(at + 1))
      if (bare === other.bare) found.set(`${setting} ${other.setting}`, [setting, other.setting])
  return [...found.values()]
}

/** What is secret of a complete Authorization header: the token, or the password of Basic. */
export function bareSecret(value: string): string {
  const [, word = '', rest = ''] = /^(Bearer|Basic) +(?! )(.+)$/i.exec(value) ?? []
  if (word === '') return value
  if (word.toLowerCase() === 'bearer') return rest
  const pair = Buffer.from(rest, 'base64').toString('utf8')
  return pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : rest
}

/** Bytes of a key are no words. */
function isText(bare: string): boolean {
  return /^[\x20-\x7e]*$/.test(bare)
}

/** Whether the text is another one, of half its length at most, over and over. */
function isRepeated(text: string): boolean {
  const units = Array.from({ length: Math.floor(text.length / 2) }, (_, at) => at + 1)
  return units.some((length) => text.slice(length) === text.slice(0, -length))
}
