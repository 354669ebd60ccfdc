/** -S: the values that it changes in a params file, and everything that it keeps. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { editedTexts } from '../../../lib/repro/edits/index.ts';
import { project, removeProjects } from '../project.ts';

afterEach(removeProjects);

/** Applies `edits` to this params file by the real repro, and returns the new text. */
async function edit(before: string, ...edits: string[]): Promise<string> {
  const made = project({ 'pipeline.yaml': 'stages:\n  a: {cmd: "true"}\n', 'params.yaml': before });
  const { exit, stderr } = await made.repro(...edits.flatMap((each) => ['-S', each]));
  if (exit !== 0) throw new Error(stderr);
  return made.read('params.yaml');
}

describe('a value changes in its place', () => {
  test('several edits at once; values are YAML; a copied mapping is merged; + adds a key', async () => {
    const before = `# every number that one may edit
train:
  lr: 0.1        # the rate
  sizes: {tiny: 8, small: 16}   # by name
  names: [a, "b, c"]
other: x
mask: 0x10
tiny:
  lr: 0.5
  deep: {a: 1}
`;
    const edits = [
      'train.lr=1e-3',
      'train.sizes.tiny=12',
      'train.names=[x, y: z]',
      "other=it's",
      'train.sizes=@tiny.deep',
      'mask=0x1F',
      '+tiny.more=[1]',
    ];
    expect(await edit(before, ...edits)).toBe(
      before
        .replace('lr: 0.1 ', 'lr: 0.001 ')
        .replace('{tiny: 8, small: 16}', '{tiny: 12, small: 16, a: 1}')
        .replace('[a, "b, c"]', '[x, {y: z}]')
        .replace('deep: {a: 1}', 'deep: {a: 1}\n  more: [1]')
        .replace('other: x', `other: "it's"`)
        .replace('0x10', '0x1F'),
    );
  });

  const cases: [what: string, before: string, edits: string[], after: string][] = [
    [
      'a scalar keeps its padding, its comment and its quotes',
      'lr:   0.1   # the rate\nname: "a"  # shown\nother: \'b\'\nempty: # none yet\nlast: 1',
      ['lr=1e-3', 'name=b', "other=it's", 'empty=[1, 2]', 'last=2'],
      "lr:   0.001   # the rate\nname: \"b\"  # shown\nother: 'it''s'\nempty: [1, 2] # none yet\nlast: 2",
    ],
    [
      'a list in block style: items are added, removed and replaced',
      `sizes: # of all runs
  - tiny   # 13 thousand
  # what follows takes long
  -  small # 90 thousand
seeds: # repeated
- 1 # a
- 2 # b
- 3 # c
lr: 1
`,
      ['sizes=[tiny, small, base]', 'seeds=[0, 1, 3]'],
      `sizes: # of all runs
  - tiny   # 13 thousand
  # what follows takes long
  -  small # 90 thousand
  - base
seeds: # repeated
- 0
- 1 # a
- 3 # c
lr: 1
`,
    ],
    [
      'a block list becomes an empty list or a plain value, and an empty list gets items',
      'sizes: # of all runs\n  # by width\n  - 1\n  - 2\nnames: # shown\n- a\n- b\nnone: [] # yet\n',
      ['sizes=[]', 'names=c', 'none=[a, "b, c"]'],
      'sizes: [] # of all runs\n  # by width\nnames: c # shown\nnone: [a, "b, c"] # yet\n',
    ],
    [
      'a mapping in block style: a value is changed, keys are added and removed',
      'train:   # all of it\n  lr:   0.1 # the rate\n\n  # how wide\n  width: 8\n  deep: {a: 1}\n\n# after\nother: 1\n',
      ['train={lr: 0.2, deep: {a: 1}, new: [x]}', '+train.late.er=1'],
      'train:   # all of it\n  lr:   0.2 # the rate\n\n  # how wide\n  deep: {a: 1}\n  new: [x]\n  late: {er: 1}\n\n# after\nother: 1\n',
    ],
    [
      'lists and mappings on one line keep their padding',
      'a: [ 1,  2, 3 ] # a\nb: { x: 1,   y: 2 } # b\nc: [1, 2, 3]\n',
      ['a=[1, 2, 3, 4]', 'b={x: 1, y: 3, z: 4}', 'c=[2]'],
      'a: [ 1,  2, 3, 4 ] # a\nb: { x: 1,   y: 3, z: 4 } # b\nc: [2]\n',
    ],
    [
      'lists in brackets with each item on its own line',
      'a: [\n  1, # one\n  2 # two\n]\nb: [\n  1, # one\n  2, # two\n]\nc: [1, # one\n  2, # two\n  3]\n',
      ['a=[1, 2, 3]', 'b=[2, 3]', 'c=[1, 2]'],
      'a: [\n  1, # one\n  2, # two\n  3\n]\nb: [\n  2, # two\n  3,\n]\nc: [1, # one\n  2 # two\n  ]\n',
    ],
    [
      'mappings and lists inside lists',
      'runs:\n  - name: a # first\n    size: 1\n  - {name: b, size: 2}\n  - - 1\n    - 2\n',
      ['runs[0].size=3', 'runs[1].name=c', 'runs[2]=[1, 2, 4]'],
      'runs:\n  - name: a # first\n    size: 3\n  - {name: c, size: 2}\n  - - 1\n    - 2\n    - 4\n',
    ],
    [
      'an entry that is added to a list',
      'runs:\n  - name: a # first\nflow: [1, 2] # two\n',
      ['+runs[1]={name: b}', '+flow[2]=3', '+flow[3]=@flow[0]'],
      'runs:\n  - name: a # first\n  - {name: b}\nflow: [1, 2, 3, 1] # two\n',
    ],
    [
      'a text of several lines',
      'a: | # long\n  one\n  two\n\nb: "x\n  y"\nc: 1\n',
      ['a=short', 'b=z'],
      'a: short\n\nb: "z"\nc: 1\n',
    ],
    [
      'lines that end as on Windows, and a file without an end of line',
      'sizes: # all\r\n  - 1 # one\r\n  - 2\r\nlast:\r\n  - x',
      ['sizes=[1, 2, 3]', 'last=[x, y]'],
      'sizes: # all\r\n  - 1 # one\r\n  - 2\r\n  - 3\r\nlast:\r\n  - x\r\n  - y',
    ],
    [
      'aliases and merges follow a change of their anchor; a value set through a merge is set only there',
      'base: &base {lr: 0.1, on: true} # shared\na: *base\nb:\n  <<: *base # more\n  x: 1\nc: *base\nd: {<<: *base}\n',
      ['base.lr=0.2', 'b.lr=0.3', 'c.lr=0.4'],
      'base: &base {lr: 0.2, on: true} # shared\na: *base\nb:\n  <<: *base # more\n  x: 1\n  lr: 0.3\nc: {lr: 0.4, on: true}\nd: {<<: *base}\n',
    ],
  ];
  test.each(cases)('%s', async (_, before, edits, after) => {
    expect(await edit(before, ...edits)).toBe(after);
  });

  test('in place of a number, 20M and 20_000_000 are numbers; ~ is the home folder at the start of a path', async () => {
    const before = 'tokens: 1_000\nn: 1\nlr: 0.5\nname: x\nnames: [1]\n';
    const edits = ['n=20M', 'lr=1.5k', 'name=20M', 'names=2k'];
    expect(await edit(before, ...edits)).toBe('tokens: 1_000\nn: 20000000\nlr: 1500\nname: 20M\nnames: 2k\n');
    expect(await edit(before, 'n=20_000_000', 'lr=0.3', 'name=1_000')).toBe(
      'tokens: 1_000\nn: 20000000\nlr: 0.3\nname: 1_000\nnames: [1]\n',
    );
    // Not whole, not in threes, not a unit: a text, which a schema can refuse.
    expect(await edit(before, 'n=1.0001k', 'lr=1_00', 'name=~/midi')).toBe(
      `tokens: 1_000\nn: 1.0001k\nlr: 1_00\nname: ${homedir()}/midi\nnames: [1]\n`,
    );
  });

  test('an edited JSON file is still JSON', async () => {
    const made = project({
      'pipeline.yaml': 'stages:\n  a: {cmd: "true"}\n',
      'p.json': '{\n  "a": [1, 2],\n  "b": {\n    "x": 1,\n    "y": 2\n  }\n}\n',
    });
    expect((await made.repro('-S', 'p.json:d=1')).stderr).toContain('? -S p.json:+d=1 would add it');
    await made.outcomes('-S', 'p.json:a=[1, two, 3]', '-S', 'p.json:b={x: 1}', '-S', 'p.json:+c=null');
    expect(made.read('p.json')).toBe('{\n  "a": [1, "two", 3],\n  "b": {\n    "x": 1\n  },\n  "c": null\n}\n');
  });
});

test('a byte order mark stays, and does not hide the presets of pipeline.yaml', async () => {
  const made = project({
    'pipeline.yaml': '\ufeffpresets: {study: studies.yaml}\nstages: {a: {cmd: "true", params: [v]}}\n',
    'studies.yaml': '\ufeffdefault: {v: 1}\nbig: {v: 2}\n',
    'params.yaml': '\ufeffstudy: default\r\nv: 1\r\n',
    'p.json': '\ufeff{"k": 1,  "l": [1, 2]}\r\n',
  });
  await made.outcomes('-S', 'study=big', '-S', 'p.json:k=5');
  expect(made.read('params.yaml')).toBe('\ufeffstudy: big\r\nv: 2\r\n');
  expect(made.read('p.json')).toBe('\ufeff{"k": 5,  "l": [1, 2]}\r\n');
});

test('a call with -S that is refused before anything runs changes no file', async () => {
  const made = project({
    'pipeline.yaml':
      'stages:\n  train: {matrix: {size: "${run}"}, cmd: "true", params: ["sizes.${item.size}"], deps: ["${data}"]}\n',
    'params.yaml': 'run: [small]\ndata: in.txt\nsizes: {small: 1, large: 2}\n',
    'in.txt': '',
  });
  await made.outcomes();
  const before = made.snapshot();
  for (const [edit, message] of [
    ['run=[small, huge]', 'there is no param "sizes.huge" in params.yaml'],
    ['data=gone.txt', 'the dependency "gone.txt" is missing'],
  ]) {
    const { exit, stdout, stderr } = await made.repro('-S', edit);
    expect([exit, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(made.read('params.yaml')).toBe(before['params.yaml']);
    expect((await made.repro('undo')).stderr).toContain('there is no edit by -S to take back');
  }
});

test.each([
  ['c.=1', 'there is no "c." in params.yaml'],
  ['l[2].x=7', 'there is no "l[2]" in params.yaml'],
  ['"a.b"=1', 'keys are written without quotes'],
  ['+l[3]=1', 'l has 2 entries, so the next one is l[2]'],
  ['+l[]=1', '"l[]" cannot be the name of a new key'],
  ['+"new.key"=1', '""new" cannot be the name of a new key'],
  ['+c..d=1', '"" cannot be the name of a new key'],
])('-S %s is refused, and changes nothing', async (edit, message) => {
  const params = 'a.b: 1\nc: {"d.e": 2}\nl: [{x: 1}, {x: 2}]\n';
  const made = project({ 'pipeline.yaml': 'stages: {a: {cmd: "true", params: [l]}}\n', 'params.yaml': params });
  const { exit, stderr } = await made.repro('--dry', '-S', edit);
  expect([exit, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test('the value of a param is shown in full only if it is short', async () => {
  const made = project({ 'pipeline.yaml': 'stages: {a: {cmd: "true", params: [p]}}\n', 'params.yaml': 'p: 1\n' });
  await made.outcomes();
  made.write('params.yaml', `p: ${'x'.repeat(100_000)}\n`);
  expect((await made.repro()).stdout).toMatch(/> a {2}params\.yaml p: 1 → "x{99}… \(100002 characters\)\n/);
});

test('a changed command is shown by the words that differ, with the option before them', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  a: {cmd: "true --rate ${rate} --out a ${more}", params: [rate]}\n',
    'params.yaml': 'rate: 0.1\nmore: x\n',
  });
  await made.outcomes();
  const commandIn = async (...args: string[]) => /its command.*/.exec((await made.repro('--dry', ...args)).stdout)?.[0];
  expect(await commandIn('-S', 'rate=0.2')).toBe('its command changed: --rate 0.1 → 0.2; params.yaml rate: 0.1 → 0.2');
  expect(await commandIn('-S', 'more=""')).toBe("its command changed: x → ''");
  expect(await commandIn('-S', 'more=y and z')).toBe("its command changed: x → 'y and z'");
  expect(await commandIn('-S', `more=${'long'.repeat(20)}`)).toBe('its command changed');
});

test('-S with --dry shows the status of each stage with the edit, and writes nothing', async () => {
  const made = project({
    'pipeline.yaml': `
vars: [sizes.yaml]
stages:
  train:
    matrix: {size: "\${sizes}"}
    cmd: echo \${item.size} > model-\${item.size}
    params: [train.lr]
    outs: ["model-\${item.size}"]
  all: {cmd: cat folder/numbers.yaml > all.txt, deps: [folder], outs: [all.txt]}
  own: {cmd: cat params.yaml > own.txt, deps: [params.yaml], outs: [own.txt]}
`,
    'params.yaml': 'train:\n  lr: 0.1 # the rate\n',
    'sizes.yaml': 'sizes:\n  - 1\n',
    'folder/numbers.yaml': 'n: 1\n',
  });
  await made.outcomes();
  await made.outcomes('-S', 'train.lr=0.2');
  await made.outcomes('-S', 'train.lr=0.1');
  const before = made.snapshot();
  const would = async (...args: string[]) => {
    const lines = (await made.repro('--dry', ...args)).stdout.split('\n').slice(0, -2);
    return lines.map((line) => line.replace(/ {2,}/, '  '));
  };
  expect(await would('-S', 'train.lr=0.1')).toEqual([
    'train@1  is up to date',
    'all  is up to date',
    'own  is up to date',
  ]);
  expect(await would('-S', 'train.lr=0.3', '-S', 'sizes.yaml:sizes=[1, 2]')).toEqual([
    'train@1  would run: params.yaml train.lr: 0.1 → 0.3',
    'train@2  would run: has not run yet',
    'all  is up to date',
    'own  would run: params.yaml changed',
  ]);
  expect(await would('-S', 'train.lr=0.2', '-S', './folder/numbers.yaml:n=2')).toEqual([
    'train@1  would be restored: params.yaml train.lr: 0.1 → 0.2',
    'all  would run: folder changed',
    'own  would be restored: params.yaml changed',
  ]);
  const wrong = await made.repro('--dry', '-S', 'train.rl=1');
  expect([wrong.exit, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/there is no "rl" in params\.yaml; did you mean/),
  ]);
  expect(made.snapshot()).toEqual(before);
  // The real run does what --dry predicted.
  expect(await made.outcomes('-S', 'train.lr=0.3', '-S', 'sizes.yaml:sizes=[1, 2]')).toEqual({
    'train@1': 'ran',
    'train@2': 'ran',
    own: 'ran',
  });
});

describe('any edit to any layout', () => {
  /** A seeded generator. */
  function numbers(seed: number) {
    let state = seed;
    return (below: number) => {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      return (state >> 8) % below;
    };
  }
  type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

  /** A random value, and a text with this value in random style, where any line may end in a comment. */
  function document(random: ReturnType<typeof numbers>): { value: { [key: string]: Value }; text: string } {
    const scalars: Value[] = [0, 1, 2.5, true, null, 'a', 'b c', 'x: y', '', 'no', '# no', "it's", '1'];
    const value = (depth: number): Value => {
      const kind = depth > 2 ? 0 : random(4);
      if (kind === 2) return Array.from({ length: random(4) }, () => value(depth + 1));
      if (kind === 3)
        return Object.fromEntries(Array.from({ length: random(4) }, (_, i) => [`k${depth}${i}`, value(depth + 1)]));
      return scalars[random(scalars.length)];
    };
    let comments = 0;
    const comment = () => (random(3) === 0 ? `${' '.repeat(1 + random(3))}# c${comments++}` : '');
    const scalar = (v: Value) => {
      if (typeof v !== 'string') return JSON.stringify(v);
      if (random(3) === 0) return `'${v.replaceAll("'", "''")}'`;
      return /^[a-b ]+$/.test(v) && random(2) === 0 ? v : JSON.stringify(v);
    };
    const isEmpty = (v: Value) => typeof v !== 'object' || v === null || Object.keys(v).length === 0;
    const inline = (v: Value): string => {
      const pad = ' '.repeat(random(2));
      if (Array.isArray(v)) return `[${pad}${v.map(inline).join(random(2) ? ', ' : ' ,  ')}${v.length ? pad : ''}]`;
      if (typeof v === 'object' && v !== null)
        return `{${pad}${Object.entries(v)
          .map(([key, item]) => `${key}: ${inline(item)}`)
          .join(', ')}${Object.keys(v).length ? pad : ''}}`;
      return scalar(v);
    };
    /** The text after a colon or dash: on the same line, or on the lines below. */
    const behind = (v: Value, indent: string): string => {
      if (isEmpty(v) || random(3) === 0) return ` ${' '.repeat(random(2))}${inline(v)}${comment()}\n`;
      if (random(4) === 0) {
        const list = Array.isArray(v);
        const parts = Object.entries(v!).map(([key, item]) => `${list ? '' : `${key}: `}${inline(item)}`);
        const lastComma = random(2) ? ',' : '';
        const lines = parts.map(
          (part, i) => `${indent}  ${part}${i < parts.length - 1 ? ',' : lastComma}${comment()}\n`,
        );
        return ` ${list ? '[' : '{'}${comment()}\n${lines.join('')}${indent} ${list ? ']' : '}'}${comment()}\n`;
      }
      return `${comment()}\n${block(v, `${indent}${' '.repeat(1 + random(3))}`)}`;
    };
    const block = (v: Value, indent: string): string => {
      const between = () => (random(5) === 0 ? `${indent}# c${comments++}\n` : random(5) === 0 ? '\n' : '');
      return Object.entries(v as object)
        .map(([key, item]) => between() + indent + (Array.isArray(v) ? '-' : `${key}:`) + behind(item, indent))
        .join('');
    };
    const top = { first: value(0), second: value(0), third: value(0) };
    return { value: top, text: block(top, '') };
  }

  /** Every key in a value, as written after -S. */
  function places(value: Value, key = ''): [key: string, value: Value][] {
    const below = Array.isArray(value)
      ? value.flatMap((item, i) => places(item, `${key}[${i}]`))
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([name, item]) => places(item, key ? `${key}.${name}` : name))
        : [];
    return key === '' ? below : [[key, value], ...below];
  }

  const commentsIn = (text: string) => text.match(/# c\d+/g) ?? [];
  const isPartOf = (part: readonly string[], whole: readonly string[]) => {
    let at = 0;
    for (const each of whole) if (each === part[at]) at++;
    return at === part.length;
  };

  const CASES = 150;
  test(`${CASES} random edits: the value is the wanted one, the text before and after it is unchanged, and an added key loses nothing and can be removed again without a trace`, async () => {
    const random = numbers(7);
    const root = mkdtempSync(join(tmpdir(), 'repro-edit-'));
    const change = async (text: string, key: string, value: Value) => {
      writeFileSync(join(root, 'params.yaml'), text);
      return (await editedTexts(root, [`${key}=${JSON.stringify(value)}`])).get('params.yaml') ?? text;
    };
    try {
      for (let n = 0; n < CASES; n++) {
        const { value, text } = document(random);
        expect(parse(text)).toEqual(value);
        const all = places(value);
        const [key, old] = all[random(all.length)];
        const isFilled = typeof old === 'object' && old !== null && Object.keys(old).length > 0;
        const addsOnly = isFilled && random(2) === 0;
        const other: Value[] = [3, 'new', [], {}, [1, 'b'], { k10: 9 }, null, false];
        const wanted: Value = Array.isArray(old)
          ? addsOnly
            ? [
                [...old, 'more'],
                ['less', ...old],
              ][random(2)]
            : [old.slice(1), old.slice(0, -1), other[random(8)]][random(3)]
          : isFilled
            ? addsOnly
              ? { ...old, more: [1] }
              : [Object.fromEntries(Object.entries(old).slice(1)), other[random(8)]][random(2)]
            : other[random(8)];

        const after = await change(text, key, wanted);
        const shown = `${text}\n-S ${key}=${JSON.stringify(wanted)}\n\n${after}`;
        const path = [...key.matchAll(/[^.[\]]+/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));
        const expected = parseDocument(text);
        expected.setIn(path, wanted);
        expect(parse(after), shown).toEqual(expected.toJS());

        const { range } = parseDocument(text).getIn(path, true) as { range: [number, number, number] };
        const throughKey = text.slice(0, range[0]).replace(/\s*(\n\s*(#.*)?)*$/, '');
        expect(after.startsWith(throughKey.slice(0, throughKey.lastIndexOf('\n') + 1)), shown).toBe(true);
        expect(after.endsWith(text.slice(range[2])), shown).toBe(true);
        expect(isPartOf(commentsIn(after), commentsIn(text)), shown).toBe(true);
        if (!addsOnly) continue;
        expect(commentsIn(after), shown).toEqual(commentsIn(text));
        expect(await change(after, key, old), shown).toBe(text);
      }
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
