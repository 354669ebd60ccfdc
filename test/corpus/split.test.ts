/** Splitting a corpus: filters, duplicates, the assignment to splits, and transposed copies. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { composePiece } from '../../lib/compose/index.ts';
import { type SplitOptions, splitCorpus } from '../../lib/corpus/index.ts';
import { abcToScore, midiToAbc, transposeAbc, writeAbc } from '../../lib/music/index.ts';
import { testFolder, treeOf, writeTree } from './folders.ts';

const folder = testFolder();
const fractions = { train: 0.6, val: 0.2, test: 0.2 };
const open = { train: 1, val: 0, test: 0 };
const texts = new Map<string, string>();
function abc(seed: number | string, style?: string): string {
  const name = `${seed} ${style}`;
  if (!texts.has(name)) texts.set(name, midiToAbc(composePiece(seed, { style })).abc);
  return texts.get(name)!;
}
const corpus = (from: number, to: number) =>
  Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`set/${from + i}.abc`, abc(from + i)]));

/**
 * Another rendering of a tune: stretched, transposed, with notes struck a little early or late, one in 40 left out and
 * one in 60 wrong.
 */
function rendering(text: string, stretch: number, semitones: number, seed: number): string {
  const score = abcToScore(text, 16);
  let state = seed;
  // A generator of Lehmer: the same numbers on every machine.
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const voices = score.voices.map(({ drum, notes }) => ({
    drum,
    notes: notes
      .filter(() => random() > 1 / 40)
      .map((note) => ({
        ...note,
        start: 15 * Math.max(0, Math.round((note.start / 15) * stretch + random() * 0.8)),
        duration: 15 * Math.max(1, Math.round((note.duration / 15) * stretch * (0.6 + 0.4 * random()))),
        pitch: drum ? note.pitch : note.pitch + semitones + (random() < 1 / 60 ? 1 : 0),
      }))
      .sort((a, b) => a.start - b.start || b.duration - a.duration || a.pitch - b.pitch),
  }));
  const [{ start: _, ...bar }] = score.bars.map((first) => ({ ...first, numerator: 4, denominator: 4, length: 960 }));
  const end = Math.max(...voices.flatMap(({ notes }) => notes.map(({ start, duration }) => start + duration)));
  const bars = Array.from({ length: Math.ceil(end / 960) }, (_, i) => ({ ...bar, start: 960 * i }));
  return writeAbc({ unitsPerBeat: 240, bars, voices });
}

interface Line {
  id: string;
  abc: string;
}

async function split(options: SplitOptions = {}, name = 'splits') {
  const metrics = await splitCorpus(folder.path('abc'), folder.path(name), { fractions, ...options });
  const lines: Record<string, Line[]> = {};
  for (const part of ['train', 'val', 'test'] as const) {
    const text = await readFile(folder.path(name, `${part}.jsonl`), 'utf8');
    lines[part] = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }
  return {
    metrics,
    lines,
    ids: Object.fromEntries(Object.entries(lines).map(([part, list]) => [part, list.map(({ id }) => id)])),
  };
}

describe('splits', () => {
  test('every tune is one line of one split, with id and text, and the order is the same on every run', async () => {
    await writeTree(folder.path('abc'), corpus(0, 40));
    const { metrics, lines, ids } = await split();
    const all = Object.values(ids).flat();
    expect(new Set(all).size).toBe(40);
    expect([...all].sort()).toEqual(
      Object.keys(corpus(0, 40))
        .map((path) => path.replace('.abc', ''))
        .sort(),
    );
    for (const line of Object.values(lines).flat()) {
      expect(Object.keys(line)).toEqual(['id', 'abc']);
      expect(line.abc).toBe(await readFile(folder.path('abc', `${line.id}.abc`), 'utf8'));
    }
    expect(metrics.splits.train.tunes + metrics.splits.val.tunes + metrics.splits.test.tunes).toBe(40);
    expect(await treeOf(folder.path('splits'))).toEqual(['statistics.json', 'test.jsonl', 'train.jsonl', 'val.jsonl']);
    expect((await split({ workers: 2 }, 'again')).lines).toEqual(lines);
    // Not in the order of names, because neighbours in a corpus are often similar.
    expect(ids.train).not.toEqual([...ids.train].sort());
  });

  test('adding or removing tunes does not move the others to another split', async () => {
    await writeTree(folder.path('abc'), corpus(0, 30));
    const before = await split();
    await writeTree(folder.path('abc'), { ...corpus(30, 50), 'another/0.abc': abc('other') });
    await rm(folder.path('abc/set/3.abc'));
    const after = await split();
    for (const part of ['train', 'val', 'test']) {
      const kept = before.ids[part].filter((id) => id !== 'set/3');
      expect(after.ids[part].filter((id) => kept.includes(id))).toEqual(kept);
    }
  });

  test('another seed gives another split, and the shares are roughly kept', async () => {
    await writeTree(folder.path('abc'), corpus(0, 60));
    const one = await split();
    const two = await split({ seed: 2 }, 'two');
    expect(two.ids).not.toEqual(one.ids);
    expect(one.metrics.splits.train.tunes).toBeGreaterThan(24);
    expect(one.metrics.splits.train.tunes).toBeLessThan(48);
  });

  test('bars, notes, characters and bytes of each split are counted', async () => {
    await writeTree(folder.path('abc'), corpus(0, 12));
    const { metrics, lines } = await split({ fractions: { train: 0.5, val: 0.5, test: 0 } });
    for (const part of ['train', 'val', 'test'] as const) {
      const texts = lines[part].map((line) => line.abc);
      const scores = texts.map((text) => abcToScore(text));
      expect(metrics.splits[part]).toEqual({
        lines: texts.length,
        tunes: texts.length,
        bars: scores.reduce((sum, score) => sum + score.bars.length, 0),
        notes: scores.flatMap((score) => score.voices).reduce((sum, voice) => sum + voice.notes.length, 0),
        characters: texts.join('').length,
        bytes: Buffer.byteLength(texts.join('')),
      });
    }
    expect(metrics.alphabet).toBe(
      new Set(
        Object.values(lines)
          .flat()
          .flatMap((line) => [...line.abc]),
      ).size,
    );
  });
});

describe('duplicates', () => {
  test('one of several tunes with the same text, or the same music in another key, is kept', async () => {
    await writeTree(folder.path('abc'), {
      ...corpus(0, 5),
      'z/copy.abc': abc(1),
      'z/higher.abc': transposeAbc(abc(2), 3),
      'z/lower.abc': transposeAbc(abc(2), -4),
    });
    const { metrics, ids } = await split({ fractions: open });
    expect(ids.train.sort()).toEqual(['set/0', 'set/1', 'set/2', 'set/3', 'set/4']);
    expect(metrics.duplicates).toEqual({
      content: { count: 1, examples: [{ id: 'z/copy', of: 'set/1' }] },
      fingerprint: {
        count: 2,
        examples: [
          { id: 'z/higher', of: 'set/2' },
          { id: 'z/lower', of: 'set/2' },
        ],
      },
    });
  });

  test('a tune and its transposition are assigned to the same split', async () => {
    await writeTree(folder.path('abc'), corpus(0, 30));
    const before = await split();
    for (let seed = 0; seed < 30; seed++) {
      await writeFile(folder.path(`abc/set/${seed}.abc`), transposeAbc(abc(seed), (seed % 5) + 1));
    }
    const after = await split();
    for (const part of ['train', 'val', 'test']) expect(after.ids[part]).toEqual(before.ids[part]);
    expect(after.lines.train[0].abc).not.toBe(before.lines.train[0].abc);
  });
});

test('renderings of a piece are in one split, though tempo, key, rhythm and some notes differ', async () => {
  const files = Array.from({ length: 10 }, (_, i) => [
    [`${i}.abc`, abc(i)],
    [`${i} again.abc`, rendering(abc(i), 1.31, 3, 7 + i)],
    [`${i} slow.abc`, rendering(abc(i), 1.77, -2, 90 + i)],
  ]).flat();
  await writeTree(folder.path('abc'), Object.fromEntries(files));
  const { metrics, ids } = await split();
  expect(metrics.near_duplicates).toMatchObject({ groups: 10, tunes: 30, largest: 3 });
  expect([...metrics.near_duplicates.examples[0]].sort()).toEqual(['0', '0 again', '0 slow']);
  for (const part of Object.values(ids)) {
    const pieces = new Set(part.map((id) => id.split(' ')[0]));
    expect(part.length).toBe(3 * pieces.size);
  }
});

test('statistics.json holds sizes, histograms of lengths, and character counts of train', async () => {
  await writeTree(folder.path('abc'), corpus(0, 12));
  const { metrics, lines } = await split({ transpose: [1] });
  const { splits, histograms, characters_of_train } = JSON.parse(
    await readFile(folder.path('splits/statistics.json'), 'utf8'),
  );
  expect(splits).toEqual(metrics.splits);
  expect(metrics.lengths).toEqual(histograms.characters);
  const tunes = Object.values(lines)
    .flat()
    .filter(({ id }) => !id.endsWith('+1'));
  const inBins = (values: number[], bins: { from: number; tunes: number }[]) =>
    bins.map(({ from }) => values.filter((value) => value >= from && value < Math.ceil(from * Math.SQRT2)).length);
  const byCharacters = inBins(
    tunes.map((tune) => tune.abc.length),
    histograms.characters,
  );
  expect(histograms.characters.map((bin: { tunes: number }) => bin.tunes)).toEqual(byCharacters);
  expect(byCharacters.reduce((sum, count) => sum + count)).toBe(12);
  const text = lines.train.map((line) => line.abc).join('');
  for (const { character, count } of characters_of_train) expect(text.split(character).length - 1).toBe(count);
  expect(characters_of_train).toHaveLength(new Set(text).size);
});

describe('filters', () => {
  const header = 'X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\n';
  const bars = (count: number, bar = 'CDEF|') => `${header}${bar.repeat(count)}\n`;

  test('each filter drops the tunes beyond its limit, and is counted with examples and their figures', async () => {
    await writeTree(folder.path('abc'), {
      'good.abc': abc(1),
      'short.abc': bars(3),
      'long.abc': bars(60),
      'sparse.abc': bars(10, 'C4|'),
      'silent.abc': bars(3, 'z4|').replace(/\n$/, `CDEF|GABc|${'z4|'.repeat(20)}G2G2|E2F2|\n`),
      'wordy.abc': abc(2, 'chorale'),
      'broken.abc': 'no music at all',
    });
    const { metrics, ids } = await split({
      fractions: open,
      filters: { minBars: 4, maxBars: 50, minNotes: 12, maxVoices: 3, maxEmptyBars: 0.5 },
    });
    expect(ids.train).toEqual(['good']);
    const dropped = Object.fromEntries(Object.entries(metrics.dropped).filter(([, { count }]) => count > 0));
    expect(dropped).toEqual({
      unreadable: { count: 1, examples: [{ id: 'broken', why: expect.stringMatching(/note/) }] },
      too_few_bars: { count: 1, examples: [{ id: 'short', why: '3 bars' }] },
      too_many_bars: { count: 1, examples: [{ id: 'long', why: '60 bars' }] },
      too_few_notes: { count: 1, examples: [{ id: 'sparse', why: '10 notes' }] },
      too_many_voices: { count: 1, examples: [{ id: 'wordy', why: '4 voices' }] },
      mostly_empty: { count: 1, examples: [{ id: 'silent', why: '23 of 27 bars are empty' }] },
    });
    expect(metrics).toMatchObject({ files: 7, kept: 1 });
  });

  test('tunes that are too long or too repetitive are dropped', async () => {
    await writeTree(folder.path('abc'), { 'good.abc': abc(1), 'endless.abc': bars(4000) });
    const dropped = async (filters: SplitOptions['filters']) =>
      (await split({ fractions: open, filters })).metrics.dropped;
    expect((await dropped({ maxBars: 5000, minGzipRatio: 0.06 })).too_repetitive.examples[0].id).toBe('endless');
    const { too_long } = await dropped({ maxBars: 5000, maxChars: 10_000 });
    expect(too_long).toEqual({ count: 1, examples: [{ id: 'endless', why: `${bars(4000).length} characters` }] });
  });

  test('empty bars before the first note are removed', async () => {
    await writeTree(folder.path('abc'), { 'late.abc': `${header}${'z4|'.repeat(3)}${'CDEF|GABc|'.repeat(4)}\n` });
    const { metrics, lines } = await split({ fractions: open });
    expect(lines.train[0].abc).not.toContain('z');
    expect(abcToScore(lines.train[0].abc).bars).toHaveLength(8);
    expect(metrics.leading_silence_trimmed).toBe(1);
    expect(metrics.splits.train.bars).toBe(8);
  });
});

describe('augmentation', () => {
  test('adds transposed copies to train only, with unchanged drums', async () => {
    await writeTree(folder.path('abc'), { ...corpus(0, 20), 'set/rock.abc': abc(5, 'rock') });
    const plain = await split();
    const { metrics, lines, ids } = await split({ transpose: [-2, 0, 3] }, 'augmented');
    expect(ids.val).toEqual(plain.ids.val);
    expect(ids.test).toEqual(plain.ids.test);
    expect(ids.train).toEqual(plain.ids.train.flatMap((id) => [id, `${id}-2`, `${id}+3`]));
    expect(metrics.splits.train).toMatchObject({ tunes: plain.ids.train.length, lines: 3 * plain.ids.train.length });
    for (const { id, abc: text } of lines.train.filter((line) => line.id.endsWith('+3'))) {
      const original = abcToScore(lines.train.find((line) => line.id === id.slice(0, -2))!.abc);
      const pitches = (score: typeof original, drum: boolean) =>
        score.voices.filter((voice) => voice.drum === drum).flatMap((voice) => voice.notes.map((note) => note.pitch));
      const moved = abcToScore(text);
      expect(pitches(moved, false)).toEqual(pitches(original, false).map((pitch) => pitch + 3));
      expect(pitches(moved, true)).toEqual(pitches(original, true));
    }
  });

  test('leaves out and counts transpositions outside the range of MIDI', async () => {
    await writeTree(folder.path('abc'), corpus(0, 3));
    const { metrics } = await split({ fractions: open, transpose: [120] });
    expect(metrics.transpositions_out_of_range).toBe(3);
    expect(metrics.splits.train.lines).toBe(3);
  });
});

describe('a corpus that cannot be split gives a message of one sentence', () => {
  const rejected = (options: SplitOptions) => split(options).catch((error: Error) => error.message);

  test('if there are no tunes, none is kept, or a split would be empty', async () => {
    await expect(splitCorpus(folder.path('gone'), folder.path('splits'))).rejects.toThrow(
      /gone: there is no such folder$/,
    );
    await writeTree(folder.path('abc'), { 'a.txt': '' });
    expect(await rejected({})).toMatch(/abc: contains no ABC file$/);
    await writeTree(folder.path('abc'), corpus(0, 2));
    expect(await rejected({ filters: { minBars: 1000 } })).toMatch(
      /none of its 2 tunes is kept; most were dropped as too_few_bars, such as set\/0: \d+ bars/,
    );
    expect(await rejected({ fractions: { train: 0.98, val: 0.01, test: 0.01 } })).toMatch(
      /none of its 2 tunes is in val, whose share is 0\.01; add tunes, increase split\.fractions\.val, or change split\.seed/,
    );
  });

  test('if the shares do not sum to 1', async () => {
    await writeTree(folder.path('abc'), corpus(0, 2));
    expect(await rejected({ fractions: { train: 0.9, val: 0.2, test: 0.1 } })).toMatch(
      /split\.fractions: .* sum to 1\.2.*, not 1/,
    );
    expect(await rejected({ fractions: { train: 1.1, val: -0.1, test: 0 } })).toMatch(
      /split\.fractions\.(train|val): .* is not a share/,
    );
  });

  test('if the output folder holds other files', async () => {
    await writeTree(folder.path(), { 'splits/thesis.doc': 'precious' });
    await writeTree(folder.path('abc'), corpus(0, 2));
    expect(await rejected({ fractions: open })).toMatch(/splits: holds thesis\.doc already/);
    expect(await readFile(join(folder.path('splits'), 'thesis.doc'), 'utf8')).toBe('precious');
  });
});
