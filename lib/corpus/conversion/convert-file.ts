/**
 * Converts one MIDI file to an ABC file, or takes what an earlier run made of the same bytes: the task that convert.ts runs on each.
 *
 * Files are read and written without awaiting: a thread has nothing else to do meanwhile, and each wait would cost it a tenth of a millisecond.
 */
import { readFileSync, statSync } from 'node:fs';
import { midiToAbc } from '../../music/index.ts';
import { CorpusError } from '../errors.ts';
import { writeOut } from '../folder.ts';
import { type Conversion, memoPath, recall, remember } from './conversion-memo.ts';

/** Where from and where to. */
export interface FileToConvert {
  midi: string;
  abc: string;
}

export interface ConvertSettings {
  /** steps a beat that onsets and durations snap to */
  grid: number;
  layout: 'interleaved' | 'voices';
  /** where conversions are kept between runs, and which code makes them; absent: they are not */
  memo?: { folder: string; code: string };
}

export interface ConvertedFile {
  notes: number;
  /** of ABC text */
  characters: number;
  warnings: string[];
  /** an earlier run had converted it */
  recalled: boolean;
}

/** Real music is far below this; the largest files of crawls are not music. */
const LARGEST_MIDI = 32 * 2 ** 20;

/** Throws where the file cannot be read as music, with the reason. */
export default function convertFile(file: FileToConvert, settings: ConvertSettings): ConvertedFile {
  const { size } = statSync(file.midi);
  if (size > LARGEST_MIDI)
    throw new CorpusError(`has ${size} bytes; MIDI files of more than ${LARGEST_MIDI} are not read`);
  const midi = readFileSync(file.midi);
  const { conversion, recalled } = convert(midi, settings);
  const { abc, notes, warnings } = conversion;
  writeOut(file.abc, abc);
  return { notes, characters: abc.length, warnings, recalled };
}

function convert(
  midi: Uint8Array,
  { grid, layout, memo }: ConvertSettings,
): { conversion: Conversion; recalled: boolean } {
  if (memo === undefined) return { conversion: midiToAbc(midi, { grid, layout }), recalled: false };
  const path = memoPath(memo.folder, JSON.stringify([memo.code, grid, layout]), midi);
  const known = recall(path);
  if (known !== undefined) return { conversion: known, recalled: true };
  const conversion = midiToAbc(midi, { grid, layout });
  remember(path, conversion);
  return { conversion, recalled: false };
}
