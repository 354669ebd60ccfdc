/**
 * Runs the benchmarks. Each one times the project and its peers in one run and prints ratios of medians.
 *
 *     npm run bench                      # all
 *     npm run bench -- music tokenizer   # only these
 *     npm run bench -- engine --help     # the options of one benchmark
 *
 * A peer that is not installed is named and left out. docs/benchmarks.md records measured figures.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const folder = fileURLToPath(new URL('.', import.meta.url));
const known = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const callArguments = process.argv.slice(2);
const end = callArguments.findIndex((argument) => !known.includes(argument));
const [names, args] = end === -1 ? [callArguments, []] : [callArguments.slice(0, end), callArguments.slice(end)];
if (names.length === 0 && args[0] && !args[0].startsWith('-')) {
  console.error(`bench: unknown benchmark ${args[0]}; known ones are ${known.join(', ')}`);
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
