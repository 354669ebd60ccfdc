/** `repro init`: creates a small working pipeline as a starting point. */
import { existsSync } from 'node:fs';
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
  writeAtomically(PIPELINE, PIPELINE_TEXT, { fsync: true });
  const params = textOf(PARAMS);
  writeAtomically(PARAMS, params === undefined ? PARAMS_TEXT : `${params}\n${PARAMS_TEXT}`, { fsync: true });
  addToGitignore('.', ['.repro/', 'numbers.txt']);
  printLine(`created ${PIPELINE} and ${PARAMS}; run \`repro\`, then \`repro metrics show\``);
  return 0;
}

function textOf(file: string): string | undefined {
  return existsSync(file) ? readUtf8(file) : undefined;
}
