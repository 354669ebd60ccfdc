import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Tests drive child processes and native code, so each test file runs in a process of its own.
// maxWorkers: the default of vitest leaves one core idle.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: availableParallelism(),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
