// The parts of an OpenAPI 3.1 document that are used here: https://spec.openapis.org/oas/v3.1.1
import { z } from 'zod'

export type Json = Readonly<Record<string, unknown>>

export interface Response {
  readonly description: string
  readonly content?: Json
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly security: readonly Json[]
  readonly parameters?: readonly Json[]
  readonly requestBody?: Json
  readonly responses: Readonly<Record<string, Response>>
}

export type PathItem = Readonly<Record<string, Operation | readonly Json[]>>

/**
 * The JSON Schema (2020-12) of what a zod schema reads, before its transforms. What JSON Schema cannot say, as a
 * function that looks at the whole, is left out: the schema then allows more than the service does.
 */
export function schemaOf(schema: z.ZodType): Json {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly
    },
  })
  const { $schema, ...rest } = made
  return JSON.parse(JSON.stringify(rest))
}
