/**
 * Runs the benchmarks, each beside its peers in one run: ratios of medians, never times against a memory of times.
 *
 *     npm run bench                      # all
 *     npm run bench -- music tokenizer   # these
 *     npm run bench -- engine --help     # what one takes
 *
 * A peer that is not installed is named and left out. Figures that were kept: docs/benchmarks.md.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const folder = fileURLToPath(new URL('.', import.meta.url));
const known = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const words = process.argv.slice(2);
const end = words.findIndex((word) => !known.includes(word));
const [names, args] = end === -1 ? [words, []] : [words.slice(0, end), words.slice(end)];
if (names.length === 0 && args[0] && !args[0].startsWith('-')) {
  console.error(`bench: no benchmark is called ${args[0]}; there are ${known.join(', ')}`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : known) {
  console.log(`\n# ${name}\n`);
  const { exitCode } = await execa('tsx', [`${folder}${name}/index.ts`, ...args], {
    stdio: 'inherit',
    preferLocal: true,
    reject: false,
  });
  if (exitCode !== 0) process.exitCode = 1;
}
