/**
 * Converts the music files below RAW to ABC in the dialect: x/y.mid and x/y.mxl to x/y.abc, and the tunes of x/y.abc to
 * x/y/0001.abc and so on. Files and tunes that cannot be read are skipped and named in the metrics.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { convertCorpus } from '../lib/corpus/index.ts';
import { stage } from './parts/stage.ts';

await stage({
  name: 'convert',
  description:
    'Converts every MIDI file, MusicXML score and ABC tune below RAW to a tune of the dialect below ABC, in the same folders.',
  paths: ['RAW', 'ABC'],
  flags: {
    memo: 'a folder that keeps conversions, so that a tune that comes again is not converted again',
    record:
      'a file for what became of each music file; with REPRO_CHANGES of repro, files that did not change are left out',
  },
  optional: ['memo', 'record'],
  async run({ paths: [raw, abc], flags: { memo, record }, params, progress }) {
    const { grid, layout, tuplets, tempo_changes: tempoChanges, performances } = params.convert;
    return convertCorpus(raw, abc, {
      grid,
      layout,
      tuplets,
      tempoChanges,
      performances,
      memo,
      ...(record === undefined ? {} : { record: { path: record, changed: changedIn(raw) } }),
      onProgress: progress.update,
      onKept: (files) =>
        files > 0 && console.log(files === 1 ? '1 file is as it was' : `${files} files are as they were`),
      onReused: (files) => files > 0 && console.log(`${files} files had been converted before`),
    });
  },
});

/**
 * The files of a folder that were added or changed since the last recorded run, relative to it, by the list of repro for
 * stages with `incremental: true`; undefined without such a list.
 */
function changedIn(folder: string): Set<string> | undefined {
  const list = process.env.REPRO_CHANGES;
  if (list === undefined) return undefined;
  const { added, changed } = JSON.parse(readFileSync(list, 'utf8')) as { added: string[]; changed: string[] };
  return new Set([...added, ...changed].map((path) => relative(folder, path)));
}
