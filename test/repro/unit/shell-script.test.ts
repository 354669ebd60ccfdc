/** Values in shell scripts: each stays one part of a word, whatever characters it holds. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { fillInScript } from '../../../lib/repro/shell/shell-script.ts';

/** Puts a value in place of each X of a script. */
const fillIn = (script: string, value: string) =>
  fillInScript(
    script
      .split('X')
      .flatMap((text, i) => (i === 0 ? [text] : [{ value, reference: 'x' }, text]))
      .filter((part) => part !== ''),
  );

/** Scripts that print X, with what they print for a value. */
const PRINTING: [script: string, printed: (value: string) => string][] = [
  ['printf %s X', (x) => x],
  ['printf %s --n=X/aX.txt', (x) => `--n=${x}/a${x}.txt`],
  ['printf %s "a X b"', (x) => `a ${x} b`],
  ["printf %s 'a X b'", (x) => `a ${x} b`],
  ["printf %s 'it'\\''s' X", (x) => `it's${x}`],
  ['printf %s "a\\"" X', (x) => `a"${x}`],
  ['v=X; printf %s "$v"', (x) => x],
  ['v=home; printf %s $v"X" "$vX" $vX', (x) => `home${x}`.repeat(3)],
  ['printf %s "$(printf %s "aX"; printf %s X.)"', (x) => `a${x}${x}.`],
  ['printf %s "$((1 + 1))X" \\\n  X', (x) => `2${x}${x}`],
  ['printf %s "`printf a`" X', (x) => `a${x}`],
  ['# it\'s a "comment\nprintf %s a#b X', (x) => `a#b${x}`],
  ['case X in never) ;; *) printf %s X;; esac; printf %s X', (x) => x + x],
  ['f() { printf %s "$1"; }; if true; then f X; fi | cat', (x) => x],
  ['for x in X; do printf %s "$x"; done', (x) => x],
  ["(printf %s X # it's\n) 2>&1", (x) => x],
  ['f() { local v="X"; printf %s "$v"; }; f', (x) => x],
  [`sh -c 'printf %s "$1"' sh X`, (x) => x],
];
/** The same for values of one line. */
const DOCUMENTS: typeof PRINTING = [
  ['cat <<END\na X b\nEND\n', (x) => `a ${x} b\n`],
  ["cat <<'END'; printf %s X\nX\nEND\nprintf %s X", (x) => `${x}\n${x}${x}`],
  ['(cat <<END\nX\nEND\n) | cat', (x) => `${x}\n`],
  ['cat <<"END\r"; printf %s "X"\nX\nEND\nEND\r\n', (x) => `${x}\nEND\n${x}`],
  ['cat <<A; cat <<-B\nX\nA\n\t.X\n\tB\n', (x) => `${x}\n.${x}\n`],
];

const VALUES = [
  ...[
    '',
    ' ',
    'a b',
    "'",
    '"',
    '\\',
    '$',
    '`',
    '*',
    '~',
    '#',
    '-n',
    'a=b',
    'if',
    'é ü',
    '!',
    '{a,b}',
    '$HOME',
    '<',
    '>&2',
  ],
  ...['$(echo ran)', '`echo ran`', '; echo ran;', '&& echo ran', '| echo ran', ') ; echo ran; (', '\\"; echo ran #'],
  ...["'; echo ran; '", '"; echo ran; "', "\\'; echo ran #", '} ; echo ran; {', '$((1))', '\\$(echo ran)', 'a\\', '\t'],
];
const LINES = ['\n', 'a\nb', '\necho ran\n', '\nEND\necho ran\n', '\nA\necho ran'];

/** Texts of many characters that shells treat specially, the same in each run. */
function scrambled(count: number): string[] {
  let seed = 1;
  const next = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const characters = [...`aZ9 '"\\$\`;&|<>(){}[]*?!#~=%,./:-@^\t`];
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(8) }, () => characters[next(characters.length)]).join(''),
  );
}

/** What each script prints, run by one shell in turn. */
function run(shell: string, scripts: readonly string[]): string[] {
  const each = 'for script; do eval "$script" </dev/null 2>&1; printf "\\0"; done';
  const { stdout } = spawnSync(shell, ['-c', each, 'sh', ...scripts], { encoding: 'utf8', maxBuffer: 1e8 });
  return stdout.split('\0').slice(0, -1);
}

const hasBash = spawnSync('bash', ['-c', ':']).status === 0;

describe.each(['/bin/sh', ...(hasBash ? ['bash'] : [])])('%s prints a value unchanged', (shell) => {
  test.each([
    ['in quotes, in words, in expansions', PRINTING, [...VALUES, ...LINES, ...scrambled(16)]],
    ['in here-documents', DOCUMENTS, [...VALUES, ...scrambled(16)]],
  ])('%s', (_, scripts, values) => {
    const cases = scripts.flatMap(([script, printed]) =>
      values.map((value) => ({ script: fillIn(script, value), expected: printed(value) })),
    );
    const output = run(
      shell,
      cases.map(({ script }) => script),
    );
    expect(cases.map(({ script }, i) => [script, output[i]])).toEqual(
      cases.map(({ script, expected }) => [script, expected]),
    );
  });
});

test('a safe value is written as it is, so that recorded commands stay the same', () => {
  const scripts = [
    'run X --n=X "X" \'X\' out/X.txt > X.log 2>&1 # X',
    'if test X = a; then echo $(X) `X` "${Q:-X}" X; fi\ncat <<EOF\nX\nEOF\n',
    'A=X X; X | X && X; case X in X) X;; esac',
  ];
  for (const value of ['a', 'gpt-tiny', '0.1', '1e-05', 'data/x_1.csv', 'user@host:/path', '-5', 'a,b', '%y+1'])
    for (const script of scripts) expect(fillIn(script, value)).toBe(script.replaceAll('X', value));
  expect(fillIn('echo X $((X + 1)) --k=X', '12')).toBe('echo 12 $((12 + 1)) --k=12');
  expect(fillIn('python train.py X', 'a=b')).toBe('python train.py a=b');
});

test('a safe value gets quotes where a shell would take it for syntax', () => {
  expect(fillIn('X a', 'if')).toBe("'if' a");
  expect(fillIn('iX a', 'f')).toBe("i'f' a");
  expect(fillIn('X run', 'PATH=here')).toBe("'PATH=here' run");
  expect(fillIn('echo X>out 1X>out', '2')).toBe("echo '2'>out 1'2'>out");
  expect(fillIn('echo {X,c}', 'a,b')).toBe("echo {'a,b',c}");
  expect(fillIn('echo $homeX "$homeX"', 'dir')).toBe(`echo $home'dir' "$home""dir"`);
});

test('a value may be an argument of a program that reads code from another argument', () => {
  const scripts = [
    'sh -c \'f "$1"\' sh X',
    "python3 -c 'f()' X",
    "awk -vx=X '{print x}'",
    'python train.py -e=X',
    "awk -v x=X '{ print x }' X",
    'sh X -c',
    'awk -f X',
    'echo eval X',
  ];
  for (const script of scripts) expect(fillIn(script, 'a b')).toBe(script.replaceAll('X', "'a b'"));
});

test('a value that cannot be quoted where it stands is refused', () => {
  const refused = (script: string, value: string, why: string) =>
    expect(() => fillIn(script, value), script).toThrow(why);
  refused('X --fast', 'python train.py', 'write ${raw:x} for several words');
  refused('cd a && X', 'python train.py', 'a command cannot be one value with blanks');
  refused('echo `echo X`', 'a b', 'inside of `…`');
  refused('echo "${Q:-X}"', 'a b', 'inside of a ${…} of the shell');
  refused('echo ${X}', 'Q:-x', 'in the name of a ${…} of the shell');
  refused('echo $((X + 1))', 'a[$(echo ran)]', 'must be a whole number');
  refused('echo $((X + 1))', 'count', 'must be a whole number');
  refused('echo $X', '(echo ran)', 'after a $');
  refused('echo "$X"', '(echo ran)', 'after a $');
  refused("echo $'X'", "\\'; echo ran #", "inside of $'…'");
  refused('true # X', 'a\necho ran', 'cannot stand in a comment');
  refused('cat <<END\nX\nEND\n', 'a\nb', 'cannot stand in a here-document');
  refused('cat <<END\nX\necho data\nEND\n', 'END', 'ends the here-document');
  refused("cat <<-'END'\n\tEX\nEND\n", 'ND', 'ends the here-document');
  refused('cat <<END\nE\\\nX\nEND\n', 'ND', 'ends the here-document');
  refused('cat <<-END\nX\nEND\n', '\ta', 'would remove the tab');
  refused('cat <<END\n$(echo X)\nEND\n', 'a b', 'in an expansion of a here-document');
  refused('cat <<X\n', 'a b', 'in the delimiter of a here-document');
  const programs = [
    'sh -c "echo X"',
    'nice bash -ec X',
    'python3 -c \'f("X")\'',
    "perl -e'print X'",
    'node --eval=X',
    'bash -c -- X',
    'php -r X',
    'deno eval X',
    'watch X',
    "awk 'X'",
    "gawk -F , -v a=b '{X}' f",
  ];
  const inBash = ['[[ X -eq 1 ]]', 'unset X', 'declare X=1', '[ -v "X" ]'];
  for (const script of [...programs, ...inBash, 'command eval "echo X"', 'ssh host run X', "trap 'rm X' EXIT"])
    refused(script, 'x; echo ran', 'would read it as code; write it as an argument');
  refused('list[X]=1', 'b[$(echo ran)]', 'in a subscript');
  refused('echo \\X', 'a b', 'after a backslash');
  refused('echo >&X', '$(echo ran)', 'after >&');
  // Shells disagree about what follows.
  refused('echo $(case a in a) echo X;; esac)', 'a b', 'read in different ways');
  refused("`echo '`' ` X", 'a b', 'read in different ways');
  refused('a[1 + 1]=X; echo X', 'a b', 'read in different ways');
  refused("echo $'\\'' X", 'a b', 'read in different ways');
  refused(`${'$('.repeat(200)}X`, 'a b', 'too deeply');
});
