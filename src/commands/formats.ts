import { listSchemes } from '../hashes/listed.ts'
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
        `${table([
          ['scheme', 'told', 'ceiling', 'example'],
          ...schemes.map(({ name, told, ceiling, example }) => [name, told, ceiling, example]),
        ])}\n`,
      )
    return 0
  },
}
