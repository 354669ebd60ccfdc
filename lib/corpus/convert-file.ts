/** Converts one MIDI file to an ABC file: the task that convert.ts runs on each. */
import { readFile, stat } from 'node:fs/promises';
import { midiToAbc } from '../music/index.ts';
import { CorpusError } from './errors.ts';
import { writeOut } from './folder.ts';

/** Where from and where to. */
export interface FileToConvert {
  midi: string;
  abc: string;
}

export interface ConvertSettings {
  /** steps a beat that onsets and durations snap to */
  grid: number;
  layout: 'interleaved' | 'voices';
}

export interface ConvertedFile {
  notes: number;
  /** of ABC text */
  characters: number;
  warnings: string[];
}

/** Real music is far below this; the largest files of crawls are not music. */
const LARGEST_MIDI = 32 * 2 ** 20;

/** Throws where the file cannot be read as music, with the reason. */
export default async function convertFile(file: FileToConvert, settings: ConvertSettings): Promise<ConvertedFile> {
  const { size } = await stat(file.midi);
  if (size > LARGEST_MIDI)
    throw new CorpusError(`has ${size} bytes; MIDI files of more than ${LARGEST_MIDI} are not read`);
  const { abc, notes, warnings } = midiToAbc(await readFile(file.midi), settings);
  await writeOut(file.abc, abc);
  return { notes, characters: abc.length, warnings };
}
