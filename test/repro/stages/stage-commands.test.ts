/** Commands: how templates become parts of words, programs without a shell, and when a script has failed. */
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { events, project, removeProjects } from '../project.ts';

afterEach(removeProjects);

describe('a template in a command is a part of a word', () => {
  test('params, vars, items and -S cannot add words or code', async () => {
    const made = project({
      'pipeline.yaml': `
vars: [{own: '\`touch ran-vars\`'}]
stages:
  each:
    matrix: {size: "\${sizes}"}
    cmd: printf '%s,' \${item.size} "\${item.size}" '\${own}' --note=\${note} > \${key}.txt
    params: [note]
    outs: ["\${key}.txt"]
  plain: {cmd: "echo \${n} > plain-\${n}.txt", params: [n], outs: ["plain-\${n}.txt"]}
`,
      'params.yaml': 'sizes: [tiny, "$(touch ran-item)"]\nnote: "it\'s; touch ran-param"\nn: 3\n',
    });
    await made.outcomes();
    const printed = (size: string, note: string) => `${size},${size},\`touch ran-vars\`,--note=${note},`;
    expect(made.read('tiny.txt')).toBe(printed('tiny', "it's; touch ran-param"));
    expect(made.read('$(touch ran-item).txt')).toBe(printed('$(touch ran-item)', "it's; touch ran-param"));
    expect(made.lock().stages.plain.cmd).toBe('echo 3 > plain-3.txt');
    expect(await made.outcomes()).toEqual({});
    await made.outcomes('-S', 'note=$(touch ran-S) && x');
    expect(made.read('tiny.txt')).toBe(printed('tiny', '$(touch ran-S) && x'));
    expect(Object.keys(made.snapshot()).filter((name) => name.startsWith('ran-'))).toEqual([]);
  });

  test('${raw:key} inserts code, and a list of commands', async () => {
    const made = project({
      'pipeline.yaml':
        'stages:\n  words: {cmd: "printf %s, ${raw:flags} ${flags} > words.txt", params: [flags], outs: [words.txt]}\n  lines: {cmd: "${raw:lines}", params: [flags], outs: [lines.txt]}\n',
      'params.yaml': 'flags: --a --b\nlines: [echo 1 > lines.txt, echo 2 >> lines.txt]\n',
    });
    await made.outcomes();
    expect([made.read('words.txt'), made.read('lines.txt')]).toEqual(['--a,--b,--a --b,', '1\n2\n']);
  });

  test('a value that cannot be one is refused, with its place and what to write', async () => {
    const made = project({ 'params.yaml': 'c: make all\nlist: [a, b]\nnul: "a\\0b"\n' });
    const error = async (cmd: string, rest = '') => {
      made.write('pipeline.yaml', `stages:\n  a:\n    cmd: ${cmd}\n${rest}`);
      const { exit, stderr } = await made.repro();
      expect(exit).toBe(2);
      return stderr;
    };
    expect(await error('${c}')).toMatch(/^repro: pipeline\.yaml:3:10: \$\{c\} is "make all".*; write \$\{raw:c\} for/);
    expect(await error('[echo, "sh -c \\"${c}\\""]')).toMatch(
      /^repro: pipeline\.yaml:3:26: .*sh would read it as code/,
    );
    expect(await error('${list}')).toMatch(/:3:10: \$\{list\} is a list; write \$\{raw:list\} if it holds commands/);
    expect(await error('echo ${nul}')).toMatch(/:3:15: \$\{nul\} has a NUL character/);
    expect(await error('echo', '    deps: ["${raw:c}"]\n')).toMatch(/:4:13: .*only a shell command can hold raw:/);
  });
});

test('argv starts a program without a shell: a template is one argument, a list is several', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  a:
    cmd:
      - argv: [node, show.mjs, "--x=\${x}", "\${many}", "\${none}"]
      - echo "\${x}" >> out.txt
    deps: [show.mjs]
    params: [x]
    outs: [out.txt]
`,
    'params.yaml': 'x: "$HOME *"\nmany: [a b, 1]\nnone: ""\n',
    'show.mjs':
      "import { writeFileSync } from 'node:fs';\nwriteFileSync('out.txt', JSON.stringify(process.argv.slice(2)) + '\\n');\n",
  });
  const [, start] = events((await made.repro('--json')).stdout);
  const cmd = [{ argv: ['node', 'show.mjs', '--x=$HOME *', 'a b', '1', ''] }, 'echo "\\$HOME *" >> out.txt'];
  expect(start).toMatchObject({ event: 'start', cmd });
  expect(made.read('out.txt')).toBe('["--x=$HOME *","a b","1",""]\n$HOME *\n');
  expect(made.lock().stages.a.cmd).toEqual(cmd);
  expect(await made.outcomes()).toEqual({});
  made.write('params.yaml', made.read('params.yaml').replace('a b', 'c'));
  expect((await made.repro('why', 'a')).stdout).toContain(
    `old: node show.mjs '--x=$HOME *' 'a b' 1 '' && echo "\\$HOME *" >> out.txt\n`,
  );
  made.write('pipeline.yaml', 'stages:\n  a: {cmd: {argv: [no-such-program]}}\n  b: {cmd: {argv: [sh, -c, exit 3]}}\n');
  made.env.REPRO_SPAWN = 'node';
  const { stdout } = await made.repro('-k');
  expect(stdout).toMatch(/^✗ a: its command was not found \(exit 127\)$/m);
  expect(stdout).toMatch(/^✗ b: .* exit 3$/m);
  made.write('pipeline.yaml', 'stages:\n  a: {cmd: {argv: []}}\n');
  expect((await made.repro()).stderr).toMatch(/^repro: pipeline\.yaml:2:19: .*/);
});

const hasPipefail = spawnSync('/bin/sh', ['-c', 'set -o pipefail']).status === 0;

test('a script has failed when one of its commands has, unless the script tests for it', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  middle:
    cmd: |
      echo 1 > middle.txt
      false
      echo 2 >> middle.txt
    deps: [in.txt]
    outs: [middle.txt]
  one-line: {cmd: "false; echo > one-line.txt", deps: [in.txt], outs: [one-line.txt]}
  pipe: {cmd: "cat missing.txt | sort > pipe.txt", deps: [in.txt], outs: [pipe.txt]}
  early-end: {cmd: exit 141, deps: [in.txt]}
  tested:
    cmd: |
      false || echo 1 > tested.txt
      if false; then echo; fi
      ! true | false
      (yes || true) | head -n 1 >> tested.txt
    deps: [in.txt]
    outs: [tested.txt]
`,
    'in.txt': '',
  });
  made.env.SHELL = '/no/such/shell';
  const { exit, stdout } = await made.repro('-k', '--json');
  expect(exit).toBe(1);
  const ends = events(stdout).filter(({ event }) => event === 'end');
  const ended = Object.fromEntries(ends.map(({ stage, outcome, exit }) => [stage, exit ?? outcome]));
  expect(ended).toMatchObject({ middle: 1, 'one-line': 1, pipe: hasPipefail ? 1 : 'ran', tested: 'ran' });
  expect(ends.find(({ stage }) => stage === 'early-end')!.message).toMatch(/exit 141: .*\(COMMAND \|\| true\) \| …$/);
  expect(made.read('middle.txt')).toBe('1\n');
  expect(made.exists('one-line.txt')).toBe(false);
  expect(made.read('tested.txt')).toBe('1\ny\n');
  expect(Object.keys(made.lock().stages)).not.toContain('middle');
});
