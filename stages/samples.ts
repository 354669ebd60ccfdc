/**
 * Measures the samples of all runs and, in the same way, real tunes of the test split: SAMPLES.csv has a row for each
 * run and kind of sample, and one for the test split. docs/music.md describes the columns. What abc2midi says goes to a
 * table of its own, --abc2midi, so that SAMPLES.csv is the same with and without that program.
 */
import { join } from 'node:path';
import { csvFormat } from 'd3-dsv';
import {
  abcToMidi,
  barLengths,
  type Copies,
  CopyIndex,
  checkAbc,
  type Measures,
  MusicError,
  measure,
  overlappingArea,
  parseAbc,
} from '../lib/music/index.ts';
import { wilsonInterval } from '../lib/scaling/index.ts';
import { grid } from './parts/grid.ts';
import { abc2midiCheck, abcjsAccepts } from './parts/other-readers.ts';
import { readJson, readText, stage, writeText } from './parts/stage.ts';

/** The measures that are compared with those of the test split. */
const MEASURES = [
  'pitch_range',
  'pitch_class_entropy',
  'scale_consistency',
  'polyphony',
  'groove_consistency',
  'empty_beat_rate',
] as const;
const COLUMNS = [
  'run',
  'kind',
  'tokenizer',
  'architecture',
  'size',
  'seed',
  'params',
  'samples',
  ...['valid', 'convertible', 'abcjs', 'bars_right'].flatMap(shareColumns),
  'bars',
  'bars_in_train',
  'ngrams_in_train',
  'longest_copy',
  ...MEASURES.flatMap((name) => [name, `${name}_overlap`]),
];
/** Real tunes of the test split that are measured. */
const TEST_TUNES = 200;
/** Characters of training tunes that samples are compared with. */
const TRAIN_CHARACTERS = 20_000_000;

/** Columns of the table --abc2midi, which is written if abc2midi is installed. */
const ABC2MIDI_COLUMNS = ['run', 'kind', 'samples', ...shareColumns('abc2midi')];

const abc2midi = abc2midiCheck();

/** The measurements of one tune. */
interface Measured {
  valid: boolean;
  abcjs: boolean;
  /** undefined if abc2midi is not installed */
  abc2midi: boolean | undefined;
  bars: number;
  barsRight: number;
  copies: Copies;
  /** undefined if the tune cannot be converted to MIDI */
  measures: Measures | undefined;
}

await stage({
  name: 'samples',
  description: 'Measures the samples of all runs beside real tunes of the test split, in a table SAMPLES.csv.',
  // METRICS: the metrics of the stage generate
  paths: ['SPLITS', 'SAMPLES', 'METRICS', 'SAMPLES.csv'],
  flags: { abc2midi: 'where to write which share abc2midi converts, if it is installed' },
  optional: ['abc2midi'],
  async run({ paths: [splits, samples, metrics, table], flags, params, progress }) {
    const index = new CopyIndex();
    const tunes = await readTunes(join(splits, 'train.jsonl'), { characters: TRAIN_CHARACTERS });
    for (const abc of tunes) index.add(abc);
    const test = (await readTunes(join(splits, 'test.jsonl'), { tunes: TEST_TUNES })).map((abc) => look(abc, index));

    const rows: Record<string, unknown>[] = [{ run: 'test', kind: 'real', ...summary(test, undefined) }];
    const converted: Record<string, unknown>[] = [{ run: 'test', kind: 'real', ...abc2midiShare(test) }];
    const runs = grid(params);
    for (const [i, { name, ...run }] of runs.entries()) {
      progress.update({ done: i, total: runs.length, unit: 'runs', text: name });
      const drawn = await readJson(join(metrics, `${name}.json`));
      for (const [kind, { each }] of [['constrained', drawn] as const, ['free', drawn.free] as const]) {
        if (each.length === 0) continue;
        const measured = [];
        for (const { name: file, prompt_bars } of each)
          measured.push(look(await readText(join(samples, name, `${file}.abc`)), index, prompt_bars));
        rows.push({ run: name, ...run, ...drawn.model, kind, ...summary(measured, test) });
        converted.push({ run: name, kind, ...abc2midiShare(measured) });
      }
    }
    const cells = rows.map((row) => Object.fromEntries(COLUMNS.map((column) => [column, row[column] ?? ''])));
    await writeText(table, `${csvFormat(cells, COLUMNS)}\n`);
    if (flags.abc2midi !== undefined && abc2midi !== undefined)
      await writeText(flags.abc2midi, `${csvFormat(converted, ABC2MIDI_COLUMNS)}\n`);
    return { rows: rows.length, train_tunes: tunes.length, test_tunes: test.length, test: rows[0] };
  },
});

/** The texts of the first tunes of a split. */
async function readTunes(file: string, limit: { tunes?: number; characters?: number }): Promise<string[]> {
  const texts: string[] = [];
  let characters = 0;
  for (const line of (await readText(file)).split('\n')) {
    if (line === '' || texts.length >= (limit.tunes ?? Number.POSITIVE_INFINITY)) continue;
    if (characters >= (limit.characters ?? Number.POSITIVE_INFINITY)) break;
    const { abc } = JSON.parse(line);
    texts.push(abc);
    characters += abc.length;
  }
  return texts;
}

/** @param promptBars bars of each voice that the model did not write */
function look(abc: string, index: CopyIndex, promptBars = 0): Measured {
  const { bars, right } = barLengths(parseAbc(abc), promptBars);
  const copies = index.compare(abc, promptBars);
  return {
    valid: checkAbc(abc).length === 0,
    abcjs: abcjsAccepts(abc),
    abc2midi: abc2midi?.(abc),
    bars,
    barsRight: right,
    copies,
    measures: measuresOf(abc),
  };
}

function measuresOf(abc: string): Measures | undefined {
  try {
    return measure(abcToMidi(abc));
  } catch (error) {
    if (error instanceof MusicError) return undefined;
    throw error;
  }
}

/** The columns of a row, but those that name the run. */
function summary(tunes: readonly Measured[], test: readonly Measured[] | undefined): Record<string, unknown> {
  const sum = (count: (tune: Measured) => number) => tunes.reduce((total, tune) => total + count(tune), 0);
  const bars = sum((tune) => tune.bars);
  const found = (of: number, all: number) => (all === 0 ? undefined : of / all);
  return {
    samples: tunes.length,
    ...share(
      'valid',
      sum((tune) => Number(tune.valid)),
      tunes.length,
    ),
    ...share(
      'convertible',
      sum((tune) => Number(tune.measures !== undefined)),
      tunes.length,
    ),
    ...share(
      'abcjs',
      sum((tune) => Number(tune.abcjs)),
      tunes.length,
    ),
    ...share(
      'bars_right',
      sum((tune) => tune.barsRight),
      bars,
    ),
    bars,
    bars_in_train: found(
      sum(({ copies }) => copies.barsFound),
      sum(({ copies }) => copies.bars),
    ),
    ngrams_in_train: found(
      sum(({ copies }) => copies.ngramsFound),
      sum(({ copies }) => copies.ngrams),
    ),
    longest_copy: Math.max(0, ...tunes.map(({ copies }) => copies.longestCopy)),
    ...Object.fromEntries(
      MEASURES.flatMap((name) => {
        const values = valuesOf(tunes, name);
        const mean = found(
          values.reduce((total, value) => total + value, 0),
          values.length,
        );
        const overlap = test === undefined ? undefined : overlappingArea(values, valuesOf(test, name));
        return [
          [name, mean],
          [`${name}_overlap`, overlap],
        ];
      }),
    ),
  };
}

/** The share of tunes that abc2midi converts. */
function abc2midiShare(tunes: readonly Measured[]): Record<string, number> {
  const converted = tunes.filter(({ abc2midi }) => abc2midi).length;
  return { samples: tunes.length, ...share('abc2midi', converted, tunes.length) };
}

/** The columns of a share with its interval. */
function shareColumns(name: string): string[] {
  return [`${name}_share`, `${name}_low`, `${name}_high`];
}

/** A share with Wilson's interval; empty if there is nothing to share. */
function share(name: string, count: number, all: number): Record<string, number> {
  if (all === 0) return {};
  const [low, high] = wilsonInterval(count, all);
  return { [`${name}_share`]: count / all, [`${name}_low`]: low, [`${name}_high`]: high };
}

function valuesOf(tunes: readonly Measured[], name: (typeof MEASURES)[number]): number[] {
  return tunes.flatMap(({ measures }) => measures?.[name] ?? []);
}
