/** The values that fields set for the following notes of a voice: unit, metre, key, transpositions, drum map. */
import type { Key } from '../../model/index.ts';
import { type Metre, WHOLE } from '../tune.ts';
import type { StaffParameters } from './key-field.ts';

/** The values that fields set for the following notes of a voice. */
export interface Settings {
  /** duration of a note without a length, in ticks */
  unit: number;
  unitGiven: boolean;
  /** undefined for free metre (M:none) */
  metre: Metre | undefined;
  key: Key;
  /** semitones by letter C…B, −2…2 */
  alterations: number[];
  /** the transpositions by origin, and their sum; in semitones */
  shifts: Shifts;
  transpose: number;
  /** percussion sounds by the pitch of the notes that stand for them; for drum voices */
  drumMap: ReadonlyMap<number, number> | undefined;
  /** whether the clef is the percussion clef */
  percussion: boolean | undefined;
  /**
   * the later notes of the bar to which an accidental applies: none, those of its octave, or those of its letter in all
   * octaves
   */
  accidentals: 'not' | 'octave' | 'pitch';
}

/** Transpositions in semitones. A field that sets one leaves the others. */
export interface Shifts {
  /** of the clef, such as treble-8 */
  clef: number;
  /** of octave= */
  octave: number;
  /** of transpose= */
  transpose: number;
  /** of %%MIDI transpose */
  midi: number;
  /** of !8va(! and the like */
  ottava: number;
}

/** The transpositions of a field's parameters. */
export function shiftsOf({ clef, octave, transpose }: StaffParameters): Partial<Shifts> {
  return {
    ...(clef === undefined ? {} : { clef }),
    ...(octave === undefined ? {} : { octave }),
    ...(transpose === undefined ? {} : { transpose }),
  };
}

/** Changes some transpositions of the settings. */
export function withShifts(settings: Settings, changes: Partial<Shifts>): Pick<Settings, 'shifts' | 'transpose'> {
  const shifts = { ...settings.shifts, ...changes };
  return { shifts, transpose: shifts.clef + shifts.octave + shifts.transpose + shifts.midi + shifts.ottava };
}

/** The settings of a tune before any field. */
export const FIRST_SETTINGS: Settings = {
  unit: WHOLE / 8,
  unitGiven: false,
  metre: undefined,
  key: { fifths: 0, minor: false },
  alterations: [0, 0, 0, 0, 0, 0, 0],
  shifts: { clef: 0, octave: 0, transpose: 0, midi: 0, ottava: 0 },
  transpose: 0,
  drumMap: undefined,
  percussion: undefined,
  accidentals: 'pitch',
};
