import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['test/helpers/cluster.ts'],
    include: ['test/**/*.test.ts'],
    // Hash work and PostgreSQL share two cores in CI; the limits only catch what hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
})
