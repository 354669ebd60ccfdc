/**
 * A program that writes or reads a store, for tests with several processes:
 *
 *     node --import tsx write-store.ts write|read DIR
 *
 * The writer prints `writing` when the first chunk has been passed to LMDB. It continues until it is killed or has
 * written 200 MB. The reader prints a checksum.
 */
import { TokenStore } from '../../lib/tokenizer/index.ts';

const [action, dir] = process.argv.slice(2);
if (action === 'write') {
  const store = TokenStore.create(dir, { vocabularySize: 300 });
  const document = new Uint16Array(1_000_000).fill(7);
  for (let i = 0; i < 100; i++) {
    store.append('train', document, { bytes: document.length, chars: document.length });
    if (i === 20) process.stdout.write('writing\n');
    await new Promise(setImmediate);
  }
  await store.close();
} else {
  const store = TokenStore.open(dir);
  let sum = 0;
  for (let offset = 0; offset + 256 <= store.totals('train').tokens; offset += 97) {
    sum += store.window('train', offset, 256)[offset % 256];
  }
  process.stdout.write(`${sum}\n`);
}
