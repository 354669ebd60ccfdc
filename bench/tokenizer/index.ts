/**
 * Compares the tokenizer and the token store with their peers:
 *
 *     npm run bench -- tokenizer [bpe] [store] [kill] [huge] [--peers FOLDER]     # without names: bpe and store
 *
 *   bpe     training and encoding, with text cut after bars and uncut, on one thread and on two  (bpe.ts)
 *   store   writing, random windows in one process and in two                              (store.ts)
 *   kill    kills a hundred writers; a store that opens must be complete                   (kill.ts)
 *   huge    trains on 1 GB of ABC, and encodes a document of 1 GB that is one line         (huge.ts)
 *
 * install-peers.sh makes FOLDER; without it, only this project is measured. Each part runs in a separate process, and
 * can be started by itself.
 */

import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { parseOptions } from '../../scripts/command-line.ts';

const { values, positionals } = parseOptions(import.meta.url, {
  allowPositionals: true,
  options: { peers: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
const peers = values.peers ? ['--peers', values.peers] : [];
const parts: Record<string, string[][]> = {
  bpe: [
    ['bpe.ts', '--pretokenizer', 'bar', ...peers],
    ['bpe.ts', '--pretokenizer', 'none', ...peers],
  ],
  store: [['store.ts']],
  kill: [['kill.ts']],
  huge: [['huge.ts']],
};
const unknown = positionals.find((name) => !(name in parts));
if (values.help || unknown) {
  if (unknown)
    console.error(`bench tokenizer: unknown benchmark ${unknown}; known ones are ${Object.keys(parts).join(', ')}`);
  else console.log('npm run bench -- tokenizer [bpe] [store] [kill] [huge] [--peers FOLDER]');
  process.exit(unknown ? 2 : 0);
}
for (const name of positionals.length > 0 ? positionals : ['bpe', 'store']) {
  for (const [file, ...args] of parts[name]) {
    console.log(`\n## ${name}\n`);
    const program = fileURLToPath(new URL(file, import.meta.url));
    const { exitCode } = await execa('tsx', [program, ...args], { stdio: 'inherit', preferLocal: true, reject: false });
    if (exitCode !== 0) process.exitCode = 1;
  }
}
