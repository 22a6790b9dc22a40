import { expect } from 'vitest'

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 45_000; Date.now() < end; )
    if (await isSo()) return
    else await new Promise((later) => setTimeout(later, 100))
  expect.fail('it did not become so within 45 s')
}
