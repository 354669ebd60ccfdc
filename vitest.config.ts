import { defineConfig } from 'vitest/config';

// Tests drive child processes and native code, so each file has a process of its own.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000 },
});
