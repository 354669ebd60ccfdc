/** Names with wide characters (Chinese, Japanese, Korean, emoji) take two columns each and still line up. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import stringWidth from 'string-width';
import { afterEach, describe, expect, test } from 'vitest';
import { runningLine } from '../../../lib/repro/cli/progress-bar.ts';
import { plainTable } from '../../../lib/repro/cli/table.ts';
import {
  columnsOf,
  cutToColumns,
  padEndColumns,
  padStartColumns,
  rowsOf,
} from '../../../lib/repro/cli/terminal-width.ts';
import { hasScript, project, removeProjects, until } from '../project.ts';

afterEach(removeProjects);

describe('text is measured in terminal columns', () => {
  test.each([
    ['train@1', 7],
    ['音楽', 4],
    ['모델', 4],
    ['🎵🎶', 4],
    ['👩🏽‍🎤', 2],
    ['e\u0301', 1],
    ['█▍· ✓', 5],
  ])('%s takes %i columns', (text, columns) => {
    expect(columnsOf(text)).toBe(columns);
  });

  test('as string-width measures it', () => {
    const texts = [
      'é',
      '👨‍👩‍👧',
      '🇩🇪',
      '❤️',
      '❤',
      '1️⃣',
      '👍🏽',
      '한국',
      'ก็',
      '☎',
      '☎️',
      'ｱﾞ',
      '…',
      '→',
      '𝄞',
      '♯',
      '♭',
      'Ａ',
    ];
    expect(texts.map(columnsOf)).toEqual(texts.map((text) => stringWidth(text)));
  });

  test('padding fills up to a number of columns', () => {
    expect(padEndColumns('音楽', 6)).toBe('音楽  ');
    expect(padStartColumns('音楽', 6)).toBe('  音楽');
    expect(padEndColumns('音楽', 3)).toBe('音楽');
  });

  test('cutting never splits a wide character, so the result may be one column narrower', () => {
    expect(cutToColumns('音楽理論', 8)).toBe('音楽理論');
    expect(cutToColumns('音楽理論', 7)).toBe('音楽理…');
    expect(cutToColumns('音楽理論', 6)).toBe('音楽…');
    expect(cutToColumns('🎵👩🏽‍🎤x', 4)).toBe('🎵…');
    expect(cutToColumns('train@gpt', 6)).toBe('train…');
  });
});

test('a wide character that does not fit at the end of a row begins the next one', () => {
  expect([0, 4, 5, 8, 9].map((length) => rowsOf('x'.repeat(length), 4))).toEqual([1, 1, 2, 2, 3]);
  expect(rowsOf('a音楽', 5)).toBe(1);
  expect(rowsOf('a音楽', 4)).toBe(2);
  expect(rowsOf('音楽理論', 3)).toBe(4); // Eight columns would be three rows.
  expect(rowsOf('👩🏽‍🎤👩🏽‍🎤', 2)).toBe(2);
});

test('the columns of a table line up', () => {
  const text = plainTable(
    ['stage', 'outcome', 'took'],
    [
      ['音楽@1', 'ran', '1'],
      ['train@🎵', '失敗', '12'],
      ['a', 'ran', '3'],
    ],
  );
  expect(text).toBe(
    [
      'stage     outcome  took',
      '音楽@1    ran         1',
      'train@🎵  失敗       12',
      'a         ran         3',
      '',
    ].join('\n'),
  );
});

test('a long cell of a table is cut by its columns', () => {
  const [, row] = plainTable(['file', 'metric', 'value'], [['f', 'm', '楽'.repeat(30)]]).split('\n');
  expect(row).toBe(`f     m       ${'楽'.repeat(21)}…`);
});

describe('the live line of a stage', () => {
  const line = (stage: string, columns: number, lastLine = '') =>
    runningLine({ stage, started: 0, expected: 10, lastLine }, 5000, 8, columns);

  test('bars line up for names of different widths', () => {
    const bars = ['音楽@1', 'train@1', '🎵'].map((stage) => line(stage, 100)).map((text) => text.split('█')[0]);
    expect(bars.map((text) => stringWidth(text))).toEqual([11, 11, 11]);
  });

  test('has bar, percent, time, rate and the time left at 80 columns; at 120 also the amounts', () => {
    const progress = { done: 512_000, total: 1_000_448, unit: 'tokens', text: 'loss 1.234' };
    const at = (columns: number) =>
      runningLine({ stage: 'train@char-gpt-medium-1', started: 0, progress }, 6250, 23, columns).slice(2);
    expect(at(79)).toBe('train@char-gpt-medium-1 ███▏·· 51 % · 6.3 s · 82k tokens/s · 6.0 s left · lo…');
    expect(at(119)).toBe(
      'train@char-gpt-medium-1 ██████████▎········· 512000/1000448 tokens 51 % · 6.3 s · 82k tokens/s · 6.0 s left · loss 1…',
    );
  });

  test('is not wider than the terminal and not more than one column narrower', () => {
    for (let columns = 20; columns < 60; columns++) {
      const width = stringWidth(line('音楽@1', columns, '学習率を下げました'.repeat(8)));
      expect([columns - 1, columns]).toContain(width);
    }
  });
});

test('--dry lines up the outcomes of stages with wide names', async () => {
  const made = project({
    'pipeline.yaml': 'stages:\n  t: {matrix: {n: [音楽, 🎵, abc]}, cmd: "true", params: [p]}\n',
    'params.yaml': 'p: 1',
  });
  const { stdout } = await made.repro('--dry');
  expect(stdout.split('\n').slice(0, 3)).toEqual([
    't@音楽  would run: has not run yet',
    't@🎵    would run: has not run yet',
    't@abc   would run: has not run yet',
  ]);
});

test.skipIf(!hasScript())('on a terminal, live lines of stages with wide names fit its width', async () => {
  const made = project({
    'pipeline.yaml': `
stages:
  t: {matrix: {n: [音楽理論, 🎵🎶🎵, abc]}, cmd: 'echo 学習率を下げました学習率を下げました; until [ -e go ]; do sleep 0.01; done', params: [p]}
`,
    'params.yaml': 'p: 1',
  });
  const columns = 40;
  const { written, ended } = await made.onTerminal({ columns, rows: 20 }, '-j', '3');
  const lines = () =>
    written()
      .replaceAll(/\u001b\[\??\d*[a-zA-Z]/g, '')
      .split(/[\r\n]+/);
  const isCut = (stage: string) => lines().some((line) => line.includes(stage) && /学.*…$/.test(line));
  await until(() => isCut('t@音楽理論') && isCut('t@🎵🎶🎵') && isCut('t@abc'));
  made.write('go', '');
  expect(await ended).toBe(0);
  const live = lines().filter((line) => /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]| of 3 done/.test(line));
  const widths = live.map((line) => stringWidth(line));
  expect(Math.max(...widths)).toBeLessThan(columns);
  // While all three stages run, their durations start in the same column.
  const queue = live.findLastIndex((line) => line.includes('3 running'));
  const beforeDuration = live.slice(queue - 3, queue).map((line) => /^(. t@.*?) [\d.]+ s/.exec(line)![1]);
  expect(beforeDuration.map((text) => stringWidth(text))).toEqual([19, 19, 19]);
});

test('a run that has nothing to do does not load fast-string-width', async () => {
  const bundle = await project({}).bundle();
  const loaded = new Set<string>();
  const load = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, name] of text.matchAll(/^(?:import|export|\}) ?(?:[^;'"]* ?from )?"(\.[^"]+)"/gm))
      load(join(dirname(file), name));
  };
  load(bundle);
  const texts = [...loaded].map((file) => readFileSync(file, 'utf8'));
  // The fast path is among them, and the package is not.
  expect(texts.some((text) => text.includes('everything is up to date'))).toBe(true);
  expect(texts.filter((text) => text.includes('CJKT_WIDE_RE'))).toEqual([]);
});
