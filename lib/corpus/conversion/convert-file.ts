/**
 * The task that convert.ts runs on each file: converts a MIDI or MusicXML file, or the tunes of a part of an ABC file, to
 * files of the dialect. Results come from the memo if it has them.
 *
 * Files are read and written synchronously. The thread has nothing else to do, and each await would cost 0.1 ms.
 */
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { midiToAbc, musicXmlToAbc, rewriteAbc } from '../../music/index.ts';
import { CorpusError, reasonOf } from '../errors.ts';
import { writeFileWithFolders } from '../folder.ts';
import type { MusicFormat } from '../formats.ts';
import { type Conversion, entryPath, readEntry, writeEntry } from './conversion-memo.ts';
import { readMusicXmlFile } from './musicxml-file.ts';
import { decodeAbc, fileHeader, splitTunes, type TuneRange } from './tune-book.ts';

/** A file, or a part of one, and the files to write. */
export interface FileToConvert {
  source: string;
  format: MusicFormat;
  /** paths of the ABC files to write, one for each tune */
  targets: string[];
  /** of an ABC file: the part to read, and the fields before its first tune */
  range?: TuneRange;
  header?: TuneRange;
}

/** Settings of the conversion, the same for all files. */
export interface ConvertSettings {
  /** steps per quarter note to which onsets and durations are quantised */
  grid: number;
  /** one line per bar with all voices, or one part per voice */
  layout: 'interleaved' | 'voices';
  /** whether beats may have triplets and quintuplets */
  tuplets: boolean;
  /** whether a tune may change its tempo */
  tempoChanges: boolean;
  /** whether MIDI files whose notes are not on the beat are converted or left out */
  performances: 'keep' | 'skip';
  /** folder of the memo, and a hash of the converter's code; absent: no memo */
  memo?: { folder: string; code: string };
}

/** Figures of one converted tune. */
export interface ConvertedTune {
  notes: number;
  /** characters of ABC text */
  characters: number;
  warnings: string[];
  /** whether most notes are not on the beat: nobody set them on a grid */
  performance: boolean;
  /** whether the result came from the memo */
  reused: boolean;
}

/** A tune that could not be converted, and why. */
export interface FailedTune {
  failed: string;
}

/** Real music is far smaller. The largest files of crawled data sets are not music. */
const MAX_MIDI_BYTES = 32 * 2 ** 20;

/**
 * Converts one file, or a part of an ABC file, and writes the results.
 *
 * @returns for each target, the figures of its tune, or why there is none
 * @throws CorpusError if the file is too large or a damaged archive
 * @throws MusicError if a file of one tune cannot be read as music
 * @throws DiskError if a result cannot be written
 */
export default async function convertFile(
  file: FileToConvert,
  settings: ConvertSettings,
): Promise<(ConvertedTune | FailedTune)[]> {
  if (file.format === 'midi') return [convertMidi(file, settings)];
  if (file.format === 'musicxml') return [await convertMusicXml(file, settings)];
  const tunes = splitTunes(decodeAbc(readRange(file.source, file.range!)));
  const header = fileHeader(decodeAbc(readRange(file.source, file.header!)));
  return file.targets.map((target, i) => {
    const tune = tunes[i];
    if (tune === undefined) return { failed: 'the file has changed while it was read' };
    try {
      const content = Buffer.from(`${header}\n${tune}`);
      return convertTune(content, target, () => rewriteAbc(tune, { ...settings, header }), settings);
    } catch (error) {
      if ((error as Error).name === 'MusicError') return { failed: reasonOf(error) };
      throw error;
    }
  });
}

function convertMidi({ source, targets }: FileToConvert, settings: ConvertSettings): ConvertedTune {
  const { size } = statSync(source);
  if (size > MAX_MIDI_BYTES)
    throw new CorpusError(`has ${size} bytes, more than the limit of ${MAX_MIDI_BYTES} for a MIDI file`);
  const midi = readFileSync(source);
  return convertTune(midi, targets[0], () => midiToAbc(midi, settings), settings);
}

async function convertMusicXml({ source, targets }: FileToConvert, settings: ConvertSettings): Promise<ConvertedTune> {
  const xml = await readMusicXmlFile(source);
  return convertTune(Buffer.from(xml), targets[0], () => musicXmlToAbc(xml, settings), settings);
}

function readRange(path: string, { from, to }: TuneRange): Uint8Array {
  const bytes = Buffer.alloc(to - from);
  const file = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
  } finally {
    closeSync(file);
  }
}

/** Converts one tune, or takes the result from the memo, and writes it. `content`: all that the result depends on. */
function convertTune(
  content: Uint8Array,
  target: string,
  convert: () => Conversion,
  { grid, layout, tuplets, tempoChanges, performances, memo }: ConvertSettings,
): ConvertedTune {
  const path =
    memo && entryPath(memo.folder, JSON.stringify([memo.code, grid, layout, tuplets, tempoChanges]), content);
  const known = path && readEntry(path);
  const conversion = known || convert();
  if (path && !known) writeEntry(path, conversion);
  const { abc, notes, warnings, performance } = conversion;
  // An earlier run may have written it, with other settings.
  if (performance && performances === 'skip') rmSync(target, { force: true });
  else writeFileWithFolders(target, abc);
  return { notes, characters: abc.length, warnings, performance, reused: Boolean(known) };
}
