/**
 * Programs that people run by hand on a model: generate, evaluate, render, and the Python of docs/models.md. The models
 * have initial weights, so they need no training.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../../lib/engine/index.ts';
import { initialWeights, loadCheckpoint, type ModelSize, modelConfig, saveCheckpoint } from '../../lib/models/index.ts';
import { BpeTokenizer, CharTokenizer, MusicTokenizer, type Tokenizer } from '../../lib/tokenizer/index.ts';
import { tokenizerOf, writeModelFiles } from '../../stages/parts/model-files.ts';
import { ROOT } from './copy.ts';

const BLOCK = 64;
const HEADER = 'X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\n';
const tune = (i: number) => `${HEADER}${'CDEF|GABc|'.repeat(2 + (i % 3))}${'c2G,2|'.repeat(1 + (i % 2))}\n`;
const TUNES = Array.from({ length: 20 }, (_, i) => tune(i));
const GPT: ModelSize = { architecture: 'gpt', layers: 2, width: 16, heads: 2 };

const folder = mkdtempSync(join(tmpdir(), 'by-hand-test-'));
const path = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  cpSync(join(ROOT, 'params.yaml'), path('params.yaml'));
  // Every character that a tune of the dialect may have, so that the rules can finish one.
  const all = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i));
  const char = await CharTokenizer.train([all, ...TUNES]);
  const bpe = await BpeTokenizer.train(TUNES, { vocabularySize: 300 });
  const music = await MusicTokenizer.train(TUNES);
  await saveModel('char-gpt', char, { ...GPT, positions: 'rotary', init: 'fan-in' });
  await saveModel('bpe-gpt', bpe, GPT);
  await saveModel('music-gpt', music, GPT);
  await saveModel('char-lstm', char, { architecture: 'lstm', layers: 2, width: 24 });
  await saveModel('char-lstm-narrow', char, { architecture: 'lstm', layers: 1, width: 24, embedding: 8 });
});

async function saveModel(name: string, tokenizer: Tokenizer, size: ModelSize): Promise<void> {
  const config = modelConfig(size, { vocabularySize: tokenizer.vocabularySize, block: BLOCK, dropout: 0 });
  await saveCheckpoint(path('outputs/models', name), { config, weights: initialWeights(config, 1) });
  await writeModelFiles(path('outputs/models', name), tokenizer, config);
}

function run(program: string, ...args: string[]) {
  const start = [join(ROOT, 'stages/start.mjs'), join(ROOT, 'stages/by-hand', `${program}.ts`)];
  return spawnSync(process.execPath, [...start, ...args], { cwd: folder, encoding: 'utf8' });
}

describe('generate', () => {
  test('continues a header that people wrote with tunes of the dialect, and never replaces files', () => {
    writeFileSync(path('mine.abc'), 'X:1\nT:A title\nM:3/4\nK:D\n');
    const call = ['char-gpt', '--prompt', 'mine.abc', '--count', '2', '--max-tokens', '60', '--out', 'mine'];
    const { stdout, stderr, status } = run('generate', ...call);
    expect([status, stderr]).toEqual([0, 'The prompt was rewritten in the dialect of docs/music.md.\n']);
    expect(stdout).toMatch(/^mine: 2 samples, \d of them valid tunes\n$/);
    for (const name of ['001', '002'])
      expect(readFileSync(path('mine', `${name}.abc`), 'utf8')).toMatch(/^X:1\nM:3\/4\nL:1\/8\nQ:1\/4=120\nK:D\n./);
    expect(run('generate', ...call).stderr).toContain('generate: mine is not empty; name another folder with --out');
  });

  test('draws free samples of any text', () => {
    writeFileSync(path('words.txt'), 'Hello');
    const drawn = run('generate', 'char-gpt', '--prompt', 'words.txt', '--free', '1', '--max-tokens', '20');
    expect(drawn.stdout).toMatch(/^outputs\/generated\/char-gpt: 1 sample, 0 of them valid tunes\n$/);
    expect(readFileSync(path('outputs/generated/char-gpt/free-001.abc'), 'utf8')).toContain('Hello');
  });

  test('names the models that there are if there is no such model', () => {
    const { stderr, status } = run('generate', 'char-gtp');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^generate: char-gtp is not a model: .* The study has bpe-gpt, char-gpt, .*\n$/);
  });
});

describe('evaluate', () => {
  test('prints bits per byte of each tune and of all, near those of guessing for a model without training', () => {
    mkdirSync(path('music'));
    for (const [i, abc] of TUNES.slice(0, 3).entries()) writeFileSync(path('music', `${i}.abc`), abc);
    const { stdout, stderr, status } = run('evaluate', 'char-lstm', 'music', 'music/1.abc', '--csv', 'losses.csv');
    expect([status, stderr]).toEqual([0, '']);
    const rows = stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/));
    expect(rows.map(([name]) => name)).toEqual(['music/0.abc', 'music/1.abc', 'music/2.abc', 'music/1.abc', 'all']);
    const { vocabularySize } = tokenizerOf(path('outputs/models/char-lstm'));
    for (const [, bytes, tokens, bits] of rows)
      expect(Number(bits) / (Number(tokens) / Number(bytes)) / Math.log2(vocabularySize)).toBeCloseTo(1, 1);
    expect(readFileSync(path('losses.csv'), 'utf8')).toMatch(/^tune,bytes,tokens,bits,bits_per_byte\nmusic\/0.abc,/);
  });

  test('says how much text it needs', () => {
    writeFileSync(path('short.abc'), 'X:1\nK:C\nC|\n');
    expect(run('evaluate', 'char-lstm', 'short.abc').stderr).toMatch(
      /^evaluate: the files have \d+ tokens; .* needs 65\. /,
    );
  });
});

describe('render', () => {
  const spec = {
    data: { values: [{ x: 1 }, { x: 2 }] },
    mark: 'point',
    encoding: { x: { field: 'x', type: 'quantitative' } },
  };

  test('draws a specification in the format that the name of the file says', () => {
    writeFileSync(path('my.vl.json'), JSON.stringify(spec));
    for (const [out, start] of [
      ['my.pdf', '%PDF-'],
      ['my.svg', '<svg '],
    ]) {
      expect(run('render', 'my.vl.json', '-o', out)).toMatchObject({ status: 0, stdout: '', stderr: '' });
      expect(readFileSync(path(out), 'latin1').slice(0, 5)).toBe(start);
    }
  });

  test('refuses other formats, and names the file that cannot be drawn', () => {
    expect(run('render', 'my.vl.json', '-o', 'my.jpg').stderr).toBe(
      'render: -o is my.jpg; it must end with .pdf, .svg or .png\n',
    );
    writeFileSync(path('bad.vl.json'), '{"mark": "pint"}');
    expect(run('render', 'bad.vl.json', '-o', 'bad.pdf').stderr).toMatch(/^render: bad\.vl\.json cannot be drawn: /);
  });
});

describe('mistakes', () => {
  beforeAll(() => {
    mkdirSync(path('faults'));
    writeFileSync(path('faults/latin.abc'), Buffer.from('X:1\nT:Gr\xfc\xdfe\nK:C\n', 'latin1'));
    writeFileSync(path('faults/notes.txt'), 'my own notes\n');
    mkdirSync(path('outputs/metrics/train'), { recursive: true });
    writeFileSync(path('outputs/results.csv'), 'run,branch_of\na,\n');
    writeFileSync(path('outputs/metrics/train/a.json'), 'none');
    writeFileSync(path('faults/tune.abc'), tune(3).repeat(2));
    spawnSync('mkfifo', [path('faults/pipe.mid')]);
  });

  test.each([
    [
      'generate',
      ['char-gpt', '--prompt', 'faults/latin.abc'],
      'faults/latin.abc: not a text in UTF-8; save it as UTF-8',
    ],
    ['generate', ['char-gpt', '--count', '1000', '--prompt', 'none'], '--count must be <= 999, but is 1000'],
    [
      'generate',
      ['char-gpt', '--tokens', 'none'],
      '--tokens is none, which is not a folder of tokens: it has no tokenizer.json',
    ],
    ['generate', ['char-gpt', '--out', ''], '--out is empty'],
    ['evaluate', ['char-gpt', 'faults/pipe.mid'], 'faults/pipe.mid: is neither a file nor a folder'],
    [
      'evaluate',
      ['char-gpt', 'faults/latin.abc'],
      /^faults\/latin\.abc: none of its 1 music files could be read; faults\/latin\.abc: /,
    ],
    [
      'evaluate',
      ['char-gpt', 'faults/tune.abc', '--csv', 'faults/notes.txt'],
      /^faults\/notes\.txt is there already, and is not a table with/,
    ],
    [
      'evaluate',
      ['char-gpt', 'faults/none.mid', '--csv', 'faults/notes.txt'], // before it reads the files
      /^faults\/notes\.txt is there already, and is not a table with/,
    ],
    [
      'times',
      ['--csv', 'faults/notes.txt'], // before it reads the metrics, which are no JSON
      /^faults\/notes\.txt is there already, and is not a table with/,
    ],
    ['export-bin', ['data/tokens/char', '/proc/none/bin'], /^\/proc\/none\/bin: \/proc cannot hold new files$/],
    ['price', ['none'], 'studies.yaml: there is no such file or folder'],
  ])('%s %j', (program, args, message) => {
    const { stderr, status } = run(program, ...args);
    expect(stderr.startsWith(`${program}: `)).toBe(true);
    const sentence = stderr.slice(program.length + 2, -1);
    if (typeof message === 'string') expect(sentence).toBe(message);
    else expect(sentence).toMatch(message);
    expect(status).toBe(1);
    expect(readFileSync(path('faults/notes.txt'), 'utf8')).toBe('my own notes\n');
  });
});

test('the tokenizer of music has a name that AutoTokenizer does not take, and is found here', () => {
  const model = path('outputs/models/music-gpt');
  expect(readdirSync(model)).toContain('music-tokenizer.json');
  expect(readdirSync(model)).not.toContain('tokenizer.json');
  expect(tokenizerOf(model).kind).toBe('music');
});

const python = process.env.PEERS_PYTHON;
const reason =
  'skipped: set PEERS_PYTHON to a Python with torch and transformers (sh bench/engine/install-peers.sh FOLDER)';

describe.skipIf(!python)(`the Python of docs/models.md${python ? '' : ` (${reason})`}`, () => {
  const snippets = [...readFileSync(join(ROOT, 'docs/models.md'), 'utf8').matchAll(/```python\n(.*?)```/gs)];
  const [gpt, lstm] = snippets.map(([, code]) => code);

  /** Runs Python with the arguments as `folders`; it prints JSON last. */
  function runPython(code: string, ...folders: string[]) {
    const program = `import sys\nfolders = sys.argv[1:]\n${code}`;
    const { stdout, stderr, status } = spawnSync(python!, ['-c', program, ...folders], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
    return JSON.parse(stdout.trim().split('\n').at(-1)!);
  }

  /** The logits after the last token, by this project's engine. */
  async function logitsOf(model: string, ids: ArrayLike<number>): Promise<number[]> {
    const { config, weights } = await loadCheckpoint(model);
    const decoder = (await openEngine({ threads: 1 })).model(config, { weights }).decoder(1);
    let logits = new Float32Array() as Float32Array;
    for (const id of Array.from(ids)) logits = await decoder.step(Uint32Array.of(id));
    return [...logits];
  }

  const TEXT = TUNES[3].slice(0, 60);
  const largest = (a: number[], b: number[]) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

  test('opens a GPT with its tokenizer, and gives the same ids and logits', async () => {
    const models = ['char-gpt', 'bpe-gpt'].map((name) => path('outputs/models', name));
    const own = gpt.replace(/^folder = .*\n/m, '');
    expect(own).not.toBe(gpt);
    const code = `import json, torch\nfound = []\nfor folder in folders:\n${own.replace(/^/gm, '    ')}
    text = tokenizer(${JSON.stringify(TEXT)}, return_tensors="pt")
    with torch.no_grad(): logits = model(**text).logits[0, -1].tolist()
    found.append([text["input_ids"][0].tolist(), logits, len(ids[0]), tokenizer.decode(ids[0][:9], skip_special_tokens=True)])
print(json.dumps(found))`;
    for (const [i, [ids, logits, length, start]] of runPython(code, ...models).entries()) {
      expect(ids).toEqual([...tokenizerOf(models[i]).encode(TEXT)]);
      expect(largest(logits, await logitsOf(models[i], ids))).toBeLessThan(1e-4);
      expect(length).toBeLessThanOrEqual(BLOCK);
      expect(HEADER.startsWith(start.slice(0, 6))).toBe(true);
    }
  }, 300_000);

  test('opens an LSTM in at most 15 lines, and gives the same ids and logits', async () => {
    expect(
      lstm
        .trim()
        .split('\n')
        .filter((line) => line !== '').length,
    ).toBeLessThanOrEqual(15);
    const models = ['char-lstm', 'char-lstm-narrow'].map((name) => path('outputs/models', name));
    const code = `${lstm}\nfrom transformers import AutoTokenizer\nfound = []\nfor folder in folders:
    ids = AutoTokenizer.from_pretrained(folder)(${JSON.stringify(TEXT)}, return_tensors="pt")["input_ids"]
    with torch.no_grad(): found.append([ids[0].tolist(), Lstm(folder)(ids)[0][0, -1].tolist()])
print(json.dumps(found))`;
    for (const [i, [ids, logits]] of runPython(code, ...models).entries()) {
      expect(ids).toEqual([...tokenizerOf(models[i]).encode(TEXT)]);
      expect(largest(logits, await logitsOf(models[i], ids))).toBeLessThan(1e-4);
    }
  }, 300_000);
});
