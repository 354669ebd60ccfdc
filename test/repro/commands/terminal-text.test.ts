/** Text from outside is printed without control characters: names, values, errors, and the output of stages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { hasScript, project, removeProjects, type TestProject, until } from '../project.ts';

afterEach(removeProjects);

/** Clears the screen, sets the title, and turns the direction of text, in the 7-bit and 8-bit form. */
const EVIL = '\u001b[2J\u001b]0;TITLE\u0007\u009b2J\u007f\u202e\u2066';
/** EVIL as repro shows it. */
const SHOWN = '\\x1b[2J\\x1b]0;TITLE\\x07\\x9b2J\\x7f\\u202e\\u2066';
/** EVIL in JSON. */
const IN_JSON = '\\u001b[2J\\u001b]0;TITLE\\u0007\\u009b2J\\u007f\\u202e\\u2066';
const UNSAFE = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

/** Files, keys and values with hostile names, a stage that prints them, and an attempt that another program recorded. */
function hostile(): TestProject {
  const evil = IN_JSON;
  const attempt = { stage: `gone${EVIL}`, started: '2026-01-01T00:00:00Z', seconds: 1, outcome: 'ran' };
  return project({
    'pipeline.yaml': `
stages:
  says: {cmd: 'cat said; cp in* out; cp numbers m*', params: ["key${evil}"], deps: [said, numbers, "in${evil}"], outs: [out, "m${evil}\\nx"], metrics: ["m${evil}.json": {persist: true}]}
  fails: {cmd: 'cat said; echo "{\\"done\\": 1, \\"text\\": \\"${evil.replaceAll('\\', '\\\\')}\\"}" >&3; touch spoken; until [ -e go ]; do sleep 0.01; done; exit 3', params: [other]}
`,
    'params.yaml': `"key${evil}": "value${evil}"\nother: 1\n`,
    [`in${EVIL}`]: 'x',
    said: `lost\u001b[2Jold\rkept ${EVIL} \u001b[31mred\u001b[1;4m bold\n`,
    [`m${EVIL}.json`]: '{}',
    numbers: JSON.stringify({ [`accuracy${EVIL}`]: `a\n✓ forged \u001b[2J\u009b`, mark: '\0number "1' }),
    go: '',
    '.repro/attempts.jsonl': `${JSON.stringify(attempt)}\n{"stage": 1}\nnull\n${JSON.stringify({ ...attempt, stage: 'old', log: '.repro/logs/../../said' })}\n`,
  });
}

describe('without a terminal', () => {
  test('no command prints control characters; --json writes them as escapes of JSON', async () => {
    const made = hostile();
    made.env = { NO_COLOR: '', FORCE_COLOR: '' };
    const run = await made.repro('-k');
    expect(run.stdout).toContain(`says | kept ${SHOWN} red bold\n`);
    expect(run.stdout).toContain(`✗ says: it succeeded but did not make m${SHOWN}\n  x\n`);
    const log = readdirSync(made.path('.repro/logs/says'))[0];
    expect(made.read(`.repro/logs/says/${log}`)).toBe(made.read('said'));

    made.write('pipeline.yaml', made.read('pipeline.yaml').replace(/, "m[^,]*x"/, ''));
    await made.repro('says');
    made.write('params.yaml', made.read('params.yaml').replace('value', 'other'));
    made.remove(`in${EVIL}`);
    const calls: [args: string[], shows: string][] = [
      [['says'], `says: the dependency "in${SHOWN}" is missing`],
      [['metrics', 'show'], `m${SHOWN}.json  accuracy${SHOWN}  a\\n✓ forged \\x1b[2J\\x9b`],
      [['metrics', 'show', '--json'], `"accuracy${IN_JSON}": "a\\n✓ forged \\u001b[2J\\u009b"`],
      [['log'], `gone${SHOWN}`],
      [['log', 'says'], `.log:\nkept ${SHOWN} red bold\n`],
      [['log', 'old'], '\n.repro/logs/../../said:\n'],
      [['dag', '--json'], `"in${IN_JSON}"`],
      [[`x${EVIL}`], `there is no stage or output "x${SHOWN}"`],
      [[`--x${EVIL}`], `unknown option '--x${SHOWN}'`],
    ];
    const results = await Promise.all(calls.map(([args]) => made.repro(...args)));
    for (const [i, [args, shows]] of calls.entries()) {
      const printed = results[i].stdout + results[i].stderr;
      expect(printed, args.join(' ')).toContain(shows);
      expect(printed, args.join(' ')).not.toMatch(UNSAFE);
    }
    expect(results.at(calls.findIndex(([args]) => args[1] === 'old'))!.stdout).not.toContain('kept');
    expect(run.stdout).not.toMatch(UNSAFE);
    const metrics = JSON.parse(results[calls.findIndex(([args]) => args[2] === '--json')].stdout);
    expect(metrics[`m${EVIL}.json`].mark).toBe('\0number "1');
  });
});

describe.skipIf(!hasScript())('on a terminal (needs script of util-linux)', () => {
  test('a stage cannot control the terminal by its output or its progress, and its colours end with the line', async () => {
    const made = hostile();
    made.remove('go');
    const { written, ended } = await made.onTerminal({ columns: 200, rows: 30 }, '-k', 'fails');
    await until(() => written().includes(`1 · 0.`) || written().includes(SHOWN));
    made.write('go', '');
    expect(await ended).toBe(1);
    expect(written()).toContain(`│ kept ${SHOWN} \u001b[31mred\u001b[1;4m bold\u001b[0m`);
    // What is left after the sequences of repro itself and the colours.
    expect(written().replaceAll(/\u001b\[(\d*A|2K|0J|\?25[hl]|[\d;]*m)|[\r\n]/g, '')).not.toMatch(UNSAFE);
  });
});

test('only these files of lib/repro write to stdout and stderr themselves', () => {
  const folder = fileURLToPath(new URL('../../../lib/repro/', import.meta.url));
  const writers = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        name.endsWith('.ts') && /\bstd(out|err)\.write\(|\bconsole\./.test(readFileSync(join(folder, name), 'utf8')),
    )
    .map((name) => name.replaceAll('\\', '/'));
  expect(writers.sort()).toEqual(['cli/output.ts', 'cli/view.ts', 'stage-api/progress.ts']);
});
