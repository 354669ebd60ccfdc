import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

const TESTS = 'test/**/*.test.ts';

/**
 * Test files that need a process of their own: one measures the memory of its process, the other loads each device of
 * TensorFlow.js, of which a process can have one.
 */
const ALONE = ['test/engine/memory.test.ts', 'test/engine/devices.test.ts'];

// Tests drive child processes and native code, so they run in processes and not in threads. Other test files share a
// few processes, with the modules of the project and a kept repro. Starting these for each file took 0.6 s
// of CPU time a file, and 1.3 s where repro is called.
export default defineConfig({
  test: {
    pool: 'forks',
    // More than there are cores: tests of clusters and of remotes wait half of their time.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE, isolate: true } },
      { extends: true, test: { name: 'shared', include: [TESTS], exclude: ALONE, isolate: false } },
    ],
    // Tests of the cluster wait most of their time.
    maxConcurrency: 10,
    // They only end a test that hangs, also on a machine with other work.
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
});
