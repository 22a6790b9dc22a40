import { connectOwner } from './client.ts'
import { step } from './step.ts'

/**
 * Writes the copy anew, so that what was removed or replaced is in no file of it any more. Nobody can read the copy
 * meanwhile. Says how many old rows had to be taken along, because a transaction somewhere is old enough to see them; null:
 * not known.
 */
export async function rewriteCopy(url: string, applicationName: string): Promise<number | null> {
  const client = await step('connecting', () => connectOwner(url, applicationName))
  const details: string[] = []
  client.on('notice', ({ detail }) => void (detail !== undefined && details.push(detail)))
  try {
    await step('writing the copy anew', async () => {
      await client.query('set statement_timeout = 0')
      await client.query('vacuum (full, verbose) legacy.users')
      await client.query('analyze legacy.users')
    })
  } finally {
    await client.end().catch(() => {})
  }
  // `2 dead row versions cannot be removed yet.`, in the language of the server.
  const kept = details.map((detail) => /\d+/.exec(detail)?.[0]).filter((number) => number !== undefined)
  return kept.length === 0 ? null : kept.reduce((sum, number) => sum + Number(number), 0)
}
