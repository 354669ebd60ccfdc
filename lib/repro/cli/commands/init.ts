/** `repro init`: a small pipeline that works, to be changed into one's own. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ReproError } from '../../messages/index.ts';
import { PARAMS, PIPELINE } from '../../pipeline/index.ts';

const PIPELINE_TEXT = `# What depends on what. \`repro\` runs what changed, \`repro status\` says what that is, \`repro dag\` draws it.
stages:
  numbers:
    desc: makes some data
    cmd: seq 1 \${numbers.count} > numbers.txt
    params: [numbers]
    outs: [numbers.txt]
  power:
    desc: a stage for each exponent
    matrix: {exponent: "\${power.exponents}"}
    cmd: awk '{s += $1 ^ \${item.exponent}} END {print "{\\"sum\\":", s "}"}' numbers.txt > sum-\${item.exponent}.json
    deps: [numbers.txt]
    metrics: [{"sum-\${item.exponent}.json": {cache: false}}]
`;

const PARAMS_TEXT = `# Every number that one may edit.
numbers:
  count: 100
power:
  exponents: [1, 2, 3]
`;

export async function init(): Promise<number> {
  if (existsSync(PIPELINE)) throw new ReproError(`there is a ${PIPELINE} here already; it stays as it is`);
  writeFileSync(PIPELINE, PIPELINE_TEXT);
  if (!existsSync(PARAMS)) writeFileSync(PARAMS, PARAMS_TEXT);
  else appendFileSync(PARAMS, `\n${PARAMS_TEXT}`);
  const ignored = existsSync('.gitignore') ? readFileSync('.gitignore', 'utf8') : '';
  if (!/^\/?\.repro\/?$/m.test(ignored))
    appendFileSync('.gitignore', `${ignored === '' || ignored.endsWith('\n') ? '' : '\n'}.repro/\nnumbers.txt\n`);
  process.stdout.write(`${PIPELINE} and ${PARAMS} are made; run \`repro\`, then \`repro metrics show\`\n`);
  return 0;
}
