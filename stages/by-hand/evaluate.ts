/**
 * Measures the loss of a trained model on music that the study did not see: `npm run evaluate -- MODEL FILE…`. The files
 * are converted as the stage convert does it, and their tunes are read one after another, as the stage evaluate reads a
 * split. Prints bits per byte, which are comparable between tokenizers, for each tune and for all.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { csvFormat } from 'd3-dsv';
import { CorpusError, convertCorpus, fetchDataset } from '../../lib/corpus/index.ts';
import { evaluate, openEngine } from '../../lib/engine/index.ts';
import { loadCheckpoint } from '../../lib/models/index.ts';
import { escapeControls } from '../../lib/repro/index.ts';
import { type Tokenizer, UNKNOWN } from '../../lib/tokenizer/index.ts';
import { engineWithoutGpu } from '../parts/engine-without-gpu.ts';
import { loadModelTokenizer } from '../parts/model-tokenizer.ts';
import type { Params } from '../parts/params.ts';
import { checkTable, StageError, writeTable } from '../parts/stage.ts';
import { modelFolder, program, projectParams } from './program.ts';

const COLUMNS = ['tune', 'bytes', 'tokens', 'bits', 'bits_per_byte'] as const;

/** A tune of the files. */
interface Tune {
  /** path of its file, and the number of the tune in it */
  name: string;
  text: string;
}

await program({
  name: 'evaluate',
  usage: 'MODEL FILE…',
  description:
    'Measures the loss of MODEL, a folder or the name of a run, on files of MIDI, ABC or MusicXML, or folders or archives of them. Conversion, stride and engine are those of params.yaml.',
  arguments: [2, Number.POSITIVE_INFINITY],
  options: { csv: 'where to write the table as CSV' },
  async run({ args: [name, ...paths], options: { csv } }) {
    if (csv !== undefined) await checkTable(csv, csvFormat([], COLUMNS));
    const params = await projectParams();
    const modelDir = modelFolder(name);
    const { config, weights } = await loadCheckpoint(modelDir);
    const tokenizer = await loadModelTokenizer(modelDir, modelDir, config);
    const tunes = await readTunes(paths, params);
    // A tune is predicted from the end of the tune before it; the first one from an end of text.
    const parts = tunes.map(({ text }) => [...tokenizer.encode(text), tokenizer.endOfText]);
    const ids = Uint32Array.from([tokenizer.endOfText, ...parts.flat()]);
    if (ids.length < config.block + 1)
      throw new StageError(
        `the files have ${ids.length} tokens; ${modelDir} reads windows of ${config.block} and needs ${config.block + 1}. Give more or longer files`,
      );
    warnOfUnknown(tunes, tokenizer);
    const engine = await openEngine(engineWithoutGpu(params.train));
    const model = engine.model(config, { weights });
    const bytes = tunes.map(({ text }) => Buffer.byteLength(text));
    const { tokenLosses } = await evaluate({
      model,
      split: 'test',
      source: {
        window: (_, offset, length) => ids.subarray(offset, offset + length),
        totals: () => ({ tokens: ids.length, bytes: sum(bytes) }),
      },
      stride: Math.max(1, Math.round(params.evaluate.stride * config.block)),
    });
    model.dispose();
    let at = 0;
    const rows = tunes.map((tune, i) => {
      const losses = tokenLosses.subarray(at, (at += parts[i].length));
      return rowOf(tune.name, bytes[i], losses.length, sum(losses) / Math.LN2);
    });
    const all = rowOf('all', sum(bytes), tokenLosses.length, sum(tokenLosses) / Math.LN2);
    if (csv !== undefined) await writeTable(csv, csvFormat(rows, COLUMNS));
    print([...rows, all]);
  },
});

function rowOf(tune: string, bytes: number, tokens: number, bits: number) {
  return { tune, bytes, tokens, bits, bits_per_byte: bits / bytes };
}

function print(rows: ReturnType<typeof rowOf>[]): void {
  const names = rows.map(({ tune }) => escapeControls(tune).replaceAll('\n', '\\n'));
  const width = Math.max(...names.map((name) => name.length));
  console.log(`${'tune'.padEnd(width)}      bytes     tokens  bits per byte`);
  for (const [i, { bytes, tokens, bits_per_byte }] of rows.entries())
    console.log(
      `${names[i].padEnd(width)}  ${String(bytes).padStart(9)}  ${String(tokens).padStart(9)}  ${bits_per_byte.toFixed(4).padStart(13)}`,
    );
}

/**
 * Copies the music files into a temporary folder and converts them there. Files that cannot be read are named on stderr.
 *
 * @throws StageError if a path does not exist, or none of the files can be read
 * @throws CorpusError if there is no music in a path
 */
async function readTunes(paths: readonly string[], { convert }: Params): Promise<Tune[]> {
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) throw new StageError(`there is no file or folder ${missing}`);
  const folder = await mkdtemp(join(tmpdir(), 'evaluate-'));
  try {
    const [raw, abc] = [join(folder, 'raw'), join(folder, 'abc')];
    const tunes: Tune[] = [];
    for (const [i, path] of paths.entries()) {
      // Each in a folder of its own, because two paths may have the same name.
      // With ./, so that the folder `examples` is not the data set of that name.
      const { skipped } = await fetchDataset(path.includes('/') ? path : `./${path}`, join(raw, String(i)));
      for (const { path: file, reason } of skipped)
        console.error(escapeControls(`skipped ${join(path, file)}: ${reason}`));
    }
    const { grid, layout, tuplets, tempo_changes: tempoChanges } = convert;
    const options = { grid, layout, tuplets, tempoChanges, performances: 'keep' } as const;
    const { failed } = await convertCorpus(raw, abc, options).catch((error: unknown) => {
      throw error instanceof CorpusError ? new StageError(withPathsOf(paths, raw, error.message)) : error;
    });
    for (const { path, reason } of failed) console.error(escapeControls(`skipped ${nameOf(path, paths)}: ${reason}`));
    for (const file of (await readdir(abc, { recursive: true })).sort(byNumbers)) {
      if (!file.endsWith('.abc')) continue;
      tunes.push({ name: nameOf(file, paths), text: await readFile(join(abc, file), 'utf8') });
    }
    return tunes;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The path of a converted file as the caller knows it: 0/x.abc is x.abc in the first path, or the first path itself. */
function nameOf(file: string, paths: readonly string[]): string {
  // Beside an x.abc, x.mid becomes x.mid.abc.
  const [index, ...rest] = file.replace(/(\.(midi?|mxl|musicxml|xml))\.abc$/i, '$1').split('/');
  const path = paths[Number(index)];
  const [first, ...tune] = rest;
  const stem = (name: string) => name.replace(/\.\w+$/, '');
  return stem(first) === stem(basename(resolve(path))) ? join(path, ...tune) : join(path, ...rest);
}

/** A sentence about the temporary folder, as one about the paths that the caller gave. */
function withPathsOf(paths: readonly string[], raw: string, message: string): string {
  return message
    .replace(raw, paths.join(', '))
    .replace(/; (\d+\/.*?)(?=: )/, (_, file: string) => `; ${nameOf(file, paths)}`);
}

const byNumbers = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

/** Characters that the training split did not have cost the loss of an unknown character, whatever they are. */
function warnOfUnknown(tunes: readonly Tune[], tokenizer: Tokenizer): void {
  if (tokenizer.kind !== 'char') return;
  const known = (character: string) => tokenizer.decode(tokenizer.encode(character)) === character;
  const unknown = new Set(tunes.flatMap(({ text }) => [...new Set(text)].filter((each) => !known(each))));
  if (unknown.size > 0)
    console.error(`${[...unknown].join(' ')}: not in the model's vocabulary, so they are ${UNKNOWN} to it.`);
}

function sum(numbers: ArrayLike<number>): number {
  return Array.from(numbers).reduce((total, each) => total + each, 0);
}
