import type { StoredHash } from '../domain.ts'
import { ceilings } from './ceilings.ts'
import type { HashContext } from './context.ts'
import { HashError } from './format.ts'

/** The most bytes of the password, of a secret, and of salt, login and id in UTF-8. */
export const LONGEST_INPUT = ceilings.recipe.inputBytes.most

export const NOTHING = Buffer.alloc(0)

/** What the variables of a recipe stand for while it is evaluated. */
export interface Inputs {
  /** Of the row and of the context, by the names of the variables. */
  readonly fixed: ReadonlyMap<string, Buffer>
  readonly pass: Buffer
  readonly running: Buffer
}

/** What the variables of a recipe stand for, the password apart. Throws HashError. */
export function fixedInputs(
  uses: ReadonlySet<string>,
  { salt, login, id }: StoredHash,
  { secrets }: HashContext,
): ReadonlyMap<string, Buffer> {
  if ((uses.has('salt') || uses.has('salt2')) && salt === null)
    throw new HashError('bad-salt', 'the recipe uses $salt, and the row has none')
  const [salt1, salt2] = uses.has('salt2') ? twoSalts(salt ?? '') : [salt ?? '', '']
  const fixed = new Map([
    ['salt', boundedInput(salt1, 'bad-salt', 'the salt')],
    ['salt2', boundedInput(salt2, 'bad-salt', 'the second salt')],
    ['login', boundedInput(login, 'malformed', 'the login')],
    ['id', boundedInput(id, 'malformed', 'the id')],
  ])
  for (const name of uses) {
    const secret = secretNamed(name)
    if (secret !== undefined) fixed.set(name, presentSecret(secrets.get(secret)))
  }
  return fixed
}

/** The name of the secret that a variable stands for. */
export function secretNamed(variable: string): string | undefined {
  return variable === 'pepper' ? 'pepper' : /^secret_(.+)$/.exec(variable)?.[1]
}

function presentSecret(secret: Buffer | undefined): Buffer {
  if (secret === undefined) throw new HashError('bad-recipe', 'the recipe uses a secret that is not set')
  if (secret.length > LONGEST_INPUT)
    throw new HashError('bad-recipe', `a secret of a recipe has at most ${LONGEST_INPUT} bytes`)
  return secret
}

/** A salt may hold colons, so only the first one parts the two. */
function twoSalts(salts: string): readonly [string, string] {
  const at = salts.indexOf(':')
  if (at === -1)
    throw new HashError('bad-salt', 'the recipe uses $salt2, and the salt of the row has no colon')
  return [salts.slice(0, at), salts.slice(at + 1)]
}

function boundedInput(text: string, defect: 'bad-salt' | 'malformed', name: string): Buffer {
  // Four bytes a character are the most that UTF-8 takes.
  if (text.length > LONGEST_INPUT / 4)
    throw new HashError(defect, `${name} has at most ${LONGEST_INPUT / 4} characters`)
  return Buffer.from(text, 'utf8')
}
