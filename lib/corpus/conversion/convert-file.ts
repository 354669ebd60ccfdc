/**
 * The task that convert.ts runs on each file: converts one MIDI file to an ABC file, or takes the result from the memo.
 *
 * Files are read and written synchronously. The thread has nothing else to do, and each await would cost 0.1 ms.
 */
import { readFileSync, statSync } from 'node:fs';
import { midiToAbc } from '../../music/index.ts';
import { CorpusError } from '../errors.ts';
import { writeFileWithFolders } from '../folder.ts';
import { type Conversion, entryPath, readEntry, writeEntry } from './conversion-memo.ts';

/** Paths of the MIDI file to read and of the ABC file to write. */
export interface FileToConvert {
  midi: string;
  abc: string;
}

/** Settings of the conversion, the same for all files. */
export interface ConvertSettings {
  /** steps per quarter note to which onsets and durations are quantised */
  grid: number;
  /** one line per bar with all voices, or one part per voice */
  layout: 'interleaved' | 'voices';
  /** folder of the memo, and a hash of the converter's code; absent: no memo */
  memo?: { folder: string; code: string };
}

/** Figures of one converted file. */
export interface ConvertedFile {
  notes: number;
  /** characters of ABC text */
  characters: number;
  warnings: string[];
  /** whether the result came from the memo */
  reused: boolean;
}

/** Real music is far smaller. The largest files of crawled data sets are not music. */
const MAX_MIDI_BYTES = 32 * 2 ** 20;

/**
 * Converts one file and writes the result.
 *
 * @throws CorpusError if the file is too large
 * @throws MusicError if it cannot be read as music
 * @throws DiskError if the result cannot be written
 */
export default function convertFile(file: FileToConvert, settings: ConvertSettings): ConvertedFile {
  const { size } = statSync(file.midi);
  if (size > MAX_MIDI_BYTES)
    throw new CorpusError(`has ${size} bytes, more than the limit of ${MAX_MIDI_BYTES} for a MIDI file`);
  const midi = readFileSync(file.midi);
  const { conversion, reused } = convert(midi, settings);
  const { abc, notes, warnings } = conversion;
  writeFileWithFolders(file.abc, abc);
  return { notes, characters: abc.length, warnings, reused };
}

function convert(
  midi: Uint8Array,
  { grid, layout, memo }: ConvertSettings,
): { conversion: Conversion; reused: boolean } {
  if (memo === undefined) return { conversion: midiToAbc(midi, { grid, layout }), reused: false };
  const path = entryPath(memo.folder, JSON.stringify([memo.code, grid, layout]), midi);
  const known = readEntry(path);
  if (known !== undefined) return { conversion: known, reused: true };
  const conversion = midiToAbc(midi, { grid, layout });
  writeEntry(path, conversion);
  return { conversion, reused: false };
}
