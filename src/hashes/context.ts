/** What reading a stored hash may need besides the row: the operator's own recipes, and secrets such as a pepper. */
export interface HashContext {
  /** Recipes by the name that `hash_scheme` gives. */
  readonly recipes: ReadonlyMap<string, string>
  /** What `$secret_NAME` stands for. `$pepper` is the secret of the name `pepper`. */
  readonly secrets: ReadonlyMap<string, Buffer>
  /** Stored passwords themselves may be compared, where the row says that they are that. */
  readonly plaintext: boolean
}

export const NO_CONTEXT: HashContext = { recipes: new Map(), secrets: new Map(), plaintext: false }

/** The same after it has been copied to a thread: a Buffer arrives there as its bytes alone. */
export function copiedContext({ recipes, secrets, plaintext }: CopiedContext): HashContext {
  return {
    recipes,
    secrets: new Map(Array.from(secrets, ([name, bytes]) => [name, Buffer.from(bytes)])),
    plaintext,
  }
}

export interface CopiedContext {
  readonly recipes: ReadonlyMap<string, string>
  readonly secrets: ReadonlyMap<string, Uint8Array>
  readonly plaintext: boolean
}
