/** A composed piece as plain data: what compose.ts makes, and compose-midi.ts writes as MIDI. */
import type { PlacedNote } from './accompaniment.ts';
import type { ModalKey } from './harmony.ts';
import type { MetreGrid, Role } from './style.ts';

export interface ComposedVoice {
  role: Role;
  /** General MIDI program, from 0 */
  program: number;
  drums: boolean;
  /** times in sixteenths from the beginning, in order of time and then pitch */
  notes: PlacedNote[];
}

export interface Composition {
  style: string;
  metre: MetreGrid;
  /** beats a minute; a beat is `metre.beat` sixteenths */
  tempo: number;
  form: string;
  bars: number;
  /** the first, and any change, by bar */
  keys: { bar: number; key: ModalKey }[];
  /** letter, first bar and number of bars of each section, in order */
  sections: { letter: string; bar: number; bars: number }[];
  voices: ComposedVoice[];
}
