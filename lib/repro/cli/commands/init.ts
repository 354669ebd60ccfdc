/** `repro init`: creates a small working pipeline as a starting point. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAtomically } from '../../files/index.ts';
import { readUtf8 } from '../../freshness/index.ts';
import { ReproError } from '../../messages/index.ts';
import { PARAMS, PIPELINE } from '../../pipeline/index.ts';
import { addToGitignore } from '../../workspace/index.ts';
import { printLine } from '../output.ts';

const PIPELINE_TEXT = `# The stages and their dependencies. \`repro\` runs the stages whose inputs changed, \`repro status\` lists them,
# \`repro dag\` prints the graph.
stages:
  numbers:
    desc: makes some data
    cmd: seq 1 \${numbers.count} > numbers.txt
    params: [numbers]
    outs: [numbers.txt]
  power:
    desc: one stage for each exponent
    matrix: {exponent: "\${power.exponents}"}
    cmd: awk '{s += $1 ^ \${item.exponent}} END {print "{\\"sum\\":", s "}"}' numbers.txt > sum-\${item.exponent}.json
    deps: [numbers.txt]
    metrics: [{"sum-\${item.exponent}.json": {cache: false}}]
`;

const PARAMS_TEXT = `# The numbers that you may edit.
numbers:
  count: 100
power:
  exponents: [1, 2, 3]
`;

/**
 * Writes pipeline.yaml, params.yaml and .gitignore in the current folder. Existing params and ignore rules are kept.
 *
 * @returns the exit code, 0
 * @throws ReproError if there is a pipeline.yaml already
 */
export async function init(): Promise<number> {
  if (existsSync(PIPELINE)) throw new ReproError(`there is already a ${PIPELINE} in this folder; it was not changed`);
  const schema = schemaFrom(process.cwd());
  const modeline = schema === undefined ? '' : `# yaml-language-server: $schema=${schema}\n`;
  writeAtomically(PIPELINE, modeline + PIPELINE_TEXT, { fsync: true });
  const params = textOf(PARAMS);
  writeAtomically(PARAMS, params === undefined ? PARAMS_TEXT : `${params}\n${PARAMS_TEXT}`, { fsync: true });
  // `npm install repro` in an empty folder makes node_modules, which nobody wants in git.
  addToGitignore('.', ['.repro/', 'numbers.txt', ...(existsSync('node_modules') ? ['node_modules/'] : [])]);
  printLine(`created ${PIPELINE} and ${PARAMS}; run \`repro\`, then \`repro metrics show\``);
  return 0;
}

const SCHEMA = 'pipeline.schema.json';
const MODULES = `${sep}node_modules${sep}`;

/**
 * The path of the JSON Schema of pipeline.yaml relative to `folder`, for editors. Undefined if repro is not installed
 * in `folder` or above it: a path to another place would be wrong on other machines.
 */
function schemaFrom(folder: string): string | undefined {
  const own = fileURLToPath(import.meta.url);
  // This module is part of a bundle in the package, or in the project with the sources.
  for (let at = dirname(own); at !== dirname(at); at = dirname(at))
    for (const schema of [join(at, SCHEMA), join(at, 'lib/repro/pipeline', SCHEMA)]) {
      if (!existsSync(schema)) continue;
      const [home, ...inside] = schema.includes(MODULES) ? schema.split(MODULES) : [at];
      if (folder !== home && !folder.startsWith(`${home}${sep}`)) return undefined;
      // pnpm keeps packages in a folder named by their version, with a link beside it.
      const link = join(home, 'node_modules', inside.at(-1) ?? '');
      return relative(folder, inside.length > 0 && existsSync(link) ? link : schema);
    }
  return undefined;
}

function textOf(file: string): string | undefined {
  return existsSync(file) ? readUtf8(file) : undefined;
}
