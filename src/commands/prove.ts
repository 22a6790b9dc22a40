import { type FileHandle, open, writeFile } from 'node:fs/promises'
import { readDatabaseUrl } from '../config.ts'
import { type Proof, readProof, type Uncovered } from '../db/proof.ts'
import { StepError } from '../db/step.ts'
import { errorCode } from '../errors.ts'
import { sheetCell } from '../sheet.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { boundText, type GradedProof, graded, observedText, probedText } from './grades.ts'
import { printable, readOptions, table } from './options.ts'
import { provePage } from './prove-page.ts'

export const prove: Command = {
  name: 'prove',
  synopsis: '[--json] [--html FILE] [--rows FILE]',
  summary: 'what is proved of each scheme and cohort: read, probed, observed',
  help: `read      the stored hash is well-formed and affordable
probed    accounts with known passwords have matched, by the record of \`carryover probe\`
observed  first sign-ins have matched; with the 95 % upper bound of what may still be wrong, 3 of n
docs/proof.md says what each of them means and what not.
--html FILE   the same as one self-contained page
--rows FILE   the users that no grade covers, as CSV; readable by the file's owner alone
--json        one JSON object
Exit 1 while there are users that no grade covers.`,
  run: async (args, io) => {
    const { values } = readOptions(args, {
      json: { type: 'boolean' },
      html: { type: 'string' },
      rows: { type: 'string' },
    })
    const url = readDatabaseUrl(io.env)
    try {
      const proof = graded(
        values.rows === undefined ? await readProof(url) : await proofWithRows(url, values.rows),
      )
      if (values.html !== undefined)
        await writing('--html', () => writeFile(values.html ?? '', provePage(proof)))
      io.out(values.json ? `${JSON.stringify(proof)}\n` : proofText(proof))
      return proof.uncovered === 0 ? 0 : 1
    } catch (error) {
      return explain(error, io)
    }
  },
}

function explain(error: unknown, io: Io): ExitCode {
  if (!(error instanceof StepError)) throw error
  io.err(`carryover prove: ${error.message}\n`)
  return 1
}

async function proofWithRows(url: string, path: string): Promise<Proof> {
  const file = await writing('--rows', async () => {
    const opened = await open(path, 'w', 0o600)
    // A file that was there keeps its mode otherwise.
    await opened.chmod(0o600)
    return opened
  })
  try {
    await writing('--rows', () => file.write('id,cohort,scheme,why\n'))
    return await readProof(url, (users) => writing('--rows', () => appendRows(file, users)))
  } finally {
    await file.close()
  }
}

async function appendRows(file: FileHandle, users: readonly Uncovered[]): Promise<void> {
  const lines = users.map(({ id, cohort, scheme, why }) => [id, cohort, scheme, why].map(sheetCell).join(','))
  await file.writeFile(`${lines.join('\n')}\n`)
}

async function writing<Result>(option: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw new UsageError(`the file of ${option} cannot be written (${errorCode(error)})`)
  }
}

function proofText({ asOf, users, uncovered, unlisted, rows }: GradedProof): string {
  const head = [
    'cohort',
    'scheme',
    'users',
    'read',
    'probed',
    'observed',
    'may be wrong',
    'only refused',
    'grade',
  ]
  const body = rows.map((row) => [
    printable(row.cohort),
    printable(row.scheme),
    String(row.users),
    String(row.read),
    probedText(row),
    observedText(row),
    boundText(row.upperBound),
    String(row.refusedOnly),
    row.grade,
  ])
  const strays =
    unlisted > 0 ? `${unlisted} of them are in the copy and not in the ledger: run \`carryover sync\`\n` : ''
  return `as of ${asOf}\n${table([head, ...body])}\n\n${uncovered} of ${users} users are covered by no grade\n${strays}`
}
