/**
 * Kills writers of a token store, each at a different moment, and opens the directory that they leave:
 *
 *     npx tsx bench/tokenizer/kill.ts [ROUNDS]
 *
 * A store that opens must be complete. The exit code is 1 if an incomplete store opens.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TokenizerError, TokenStore } from '../../lib/tokenizer/index.ts';

const rounds = Number(process.argv[2] ?? 100);
const program = fileURLToPath(new URL('../../test/tokenizer/write-store.ts', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'bench-kill-'));
let complete = 0;
let refused = 0;

/** Starts a writer. Resolves when it has passed its first chunk to LMDB. */
async function startWriter() {
  const writer = spawn(process.execPath, ['--import', 'tsx', program, 'write', dir]);
  const gone = new Promise((resolve) => writer.once('close', resolve));
  await new Promise((writing) => writer.stdout.once('data', writing));
  return { writer, gone };
}

// The duration in ms of a writer that is not killed. The kills are spread over 1.1 times this duration.
let span = 0;
for (let round = 0; round < 3; round++) {
  const { gone } = await startWriter();
  const from = performance.now();
  await gone;
  span = Math.max(span, performance.now() - from);
}

for (let round = 0; round < rounds; round++) {
  const { writer, gone } = await startWriter();
  const timer = setTimeout(() => writer.kill('SIGKILL'), (1.1 * span * round) / rounds);
  await gone;
  clearTimeout(timer);
  try {
    const store = TokenStore.open(dir);
    const { tokens, documents } = store.totals('train');
    if (tokens !== 100_000_000 || documents !== 100 || store.window('train', tokens - 1, 1)[0] !== 7) {
      console.log(`round ${round}: opened with ${tokens} tokens in ${documents} documents`);
      process.exitCode = 1;
    }
    await store.close();
    complete++;
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    refused++;
  }
}
rmSync(dir, { recursive: true });
console.log(
  `${rounds} writers killed within ${(1.1 * span).toFixed(0)} ms: ${refused} stores refused, ${complete} complete`,
);
