/**
 * Measures the speed of the token store, and compares its size with that of the ids:
 *
 *     npx tsx bench/tokenizer/store.ts [--megabytes 500]
 *
 * Reads windows of 256 tokens at random positions, in one process and in two at once, after one pass over the file.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { TokenStore } from '../../lib/tokenizer/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';

const WINDOWS = 5_000_000;
/** Tokens per window. */
const WINDOW = 256;
/** Tokens per document. */
const DOCUMENT = 2000;

const { values } = parseOptions(import.meta.url, {
  options: { megabytes: { type: 'string', default: '500' }, read: { type: 'string' } },
});

/** Reads windows and returns their number per second. */
function read(dir: string): number {
  const store = TokenStore.open(dir);
  const last = store.totals('train').tokens - WINDOW;
  let sum = 0;
  for (let offset = 0; offset < last; offset += 2048) sum += store.window('train', offset, 1)[0];
  const start = performance.now();
  for (let i = 0; i < WINDOWS; i++) {
    const window = store.window('train', Math.floor(Math.random() * last), WINDOW);
    sum += window[0] + window[WINDOW - 1];
  }
  const seconds = (performance.now() - start) / 1e3;
  // Use the sum, so that the reads are not optimised away.
  return sum > 0 ? WINDOWS / seconds : 0;
}

/** Runs `read` in another process. */
async function readElsewhere(dir: string): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), '--read', dir]);
  return Number(await text(child.stdout));
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-store-'));
  const bytes = Number(values.megabytes) * 1e6;
  const document = new Uint16Array(DOCUMENT).map((_, i) => (i * 7919) % 4096);
  const start = performance.now();
  const store = TokenStore.create(dir, { vocabularySize: 4096 });
  for (let written = 0; written < bytes; written += document.byteLength) {
    store.append('train', document, { bytes: 5 * DOCUMENT, chars: 5 * DOCUMENT });
  }
  await store.close();
  const rate = bytes / 1e6 / ((performance.now() - start) / 1e3);
  const overhead = statSync(join(dir, 'data.mdb')).size / bytes - 1;
  const alone = read(dir);
  const both = await Promise.all([readElsewhere(dir), readElsewhere(dir)]);
  rmSync(dir, { recursive: true });

  console.log('| | |\n|---|---|');
  console.log(`| written, flushed to disk | ${rate.toFixed(0)} MB/s |`);
  console.log(`| added to the ids | ${(100 * overhead).toFixed(2)} % |`);
  console.log(`| random windows of ${WINDOW}, one process | ${(alone / 1e6).toFixed(2)} M/s |`);
  console.log(`| two processes, each | ${both.map((windows) => (windows / 1e6).toFixed(2)).join(' and ')} M/s |`);
}

if (values.read) process.stdout.write(String(read(values.read)));
else await main();
