import type { PortableHash } from '../portable-hash.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import { portableDigest, portableHmac, portablePbkdf2 } from './portable-form.ts'
import { fixedValue, type Recipe } from './recipe-compile.ts'
import { recipeFunctions } from './recipe-functions.ts'
import type { Inputs } from './recipe-inputs.ts'
import type { RecipeNode } from './recipe-parser.ts'
import { comparable, type ResultForm } from './recipe-result.ts'

type CallNode = RecipeNode & { kind: 'call' }

/**
 * A recipe's result as what it is made of, where the recipe is no more than one digest, HMAC or derivation of the password
 * as it is. Salts are the bytes of this row, wherever they come from; what needs a secret of the operator's is not portable.
 */
export function portableResult(
  { node, form }: Recipe,
  inputs: Inputs,
  expected: Buffer,
): PortableHash | null {
  if (form === 'open') return null
  const { core, writings } = unwritten(node)
  const digest = decoded(writings, form, expected)
  return core.kind === 'call' && digest !== null ? portableCall(core, inputs, digest) : null
}

/** Whether a recipe is the password as it is. */
export function isPasswordAlone({ node }: Recipe): boolean {
  return isPass(node)
}

function portableCall(
  { name, values: [first, second], numbers }: CallNode,
  inputs: Inputs,
  digest: Buffer,
): PortableHash | null {
  if (first === undefined) return null
  const [, kind = 'digest', algorithm = ''] = /^(?:(hmac|pbkdf2)_)?(.+)$/.exec(name) ?? []
  if (kind === 'hmac') {
    const key = second !== undefined && isPass(second) ? fixedValue(first, inputs) : null
    return key && portableHmac(algorithm, digest, key)
  }
  if (kind === 'digest' && name !== 'scrypt') return portableSalted(name, first, inputs, digest)
  const salt = second !== undefined && isPass(first) ? fixedValue(second, inputs) : null
  if (salt === null) return null
  const [one = 0, blockSize = 0, parallelism = 0] = numbers
  if (kind === 'pbkdf2') return portablePbkdf2(algorithm, one, salt, digest)
  return { kind: 'scrypt', cost: one, blockSize, parallelism, salt, derived: digest }
}

/** `message` is the password, and everything else in it stands on one side of it. */
function portableSalted(
  algorithm: string,
  message: RecipeNode,
  inputs: Inputs,
  digest: Buffer,
): PortableHash | null {
  if (isPass(message)) return portableDigest(algorithm, digest, 'suffix', Buffer.alloc(0))
  if (message.kind !== 'joined') return null
  const { parts } = message
  const position = isPass(parts[0]) ? 'suffix' : isPass(parts.at(-1)) ? 'prefix' : null
  if (position === null) return null
  const others = position === 'suffix' ? parts.slice(1) : parts.slice(0, -1)
  const salt = fixedValue({ kind: 'joined', parts: others }, inputs)
  return salt && portableDigest(algorithm, digest, position, salt)
}

function isPass(node: RecipeNode | undefined): boolean {
  return node?.kind === 'variable' && node.name === 'pass'
}

const WRITINGS = ['hex', 'HEX', 'b64']

/** What makes the bytes of a result, and how these are written, the outermost writing first. */
function unwritten(node: RecipeNode): { core: RecipeNode; writings: readonly string[] } {
  const [inner] = node.kind === 'call' && WRITINGS.includes(node.name) ? node.values : []
  if (node.kind !== 'call' || inner === undefined) return { core: node, writings: [] }
  const { core, writings } = unwritten(inner)
  return { core, writings: [node.name, ...writings] }
}

/** The bytes that are written so; null where no bytes are written exactly so, as with digits of the other case inside of base64. */
function decoded(writings: readonly string[], form: ResultForm, expected: Buffer): Buffer | null {
  let bytes: Buffer | null = expected
  for (const writing of writings) {
    const text: string = bytes.toString('latin1')
    bytes = writing === 'b64' ? bytesOfBase64(text) : bytesOfHex(text)
    if (bytes === null) return null
  }
  let again: Buffer | null = bytes
  for (const writing of writings.toReversed())
    again = again && (recipeFunctions.get(writing)?.apply([again], []) ?? null)
  return again !== null && comparable(again, form).equals(expected) ? bytes : null
}
