import { listSchemes } from '../hashes/index.ts'
import type { Command } from './command.ts'
import { readOptions, table } from './options.ts'

export const formats: Command = {
  name: 'formats',
  synopsis: '[--json]',
  summary: 'every hash scheme that can be verified, with an example',
  help: '--json   one JSON array',
  run: async (args, io) => {
    const { values } = readOptions(args, { json: { type: 'boolean' } })
    const schemes = listSchemes()
    if (values.json) io.out(`${JSON.stringify(schemes)}\n`)
    else
      io.out(
        `${table([['scheme', 'told', 'example'], ...schemes.map(({ name, told, example }) => [name, told, example])])}\n`,
      )
    return 0
  },
}
