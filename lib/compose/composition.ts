/** The type of a composed piece. compose.ts makes it, and write-midi.ts writes it as MIDI. */
import type { PlacedNote } from './accompaniment.ts';
import type { ModalKey } from './harmony.ts';
import type { MetreGrid, Role } from './style.ts';

/** A voice of a piece. */
export interface ComposedVoice {
  role: Role;
  /** General MIDI program, from 0 */
  program: number;
  drums: boolean;
  /** times in sixteenths from the piece's beginning; in order of time, then pitch */
  notes: PlacedNote[];
}

/** A composed piece. */
export interface Composition {
  style: string;
  metre: MetreGrid;
  /** beats per minute; a beat is `metre.beat` sixteenths */
  tempo: number;
  form: string;
  bars: number;
  /** the first key and all changes, by bar */
  keys: { bar: number; key: ModalKey }[];
  /** letter, first bar and number of bars of each section, in order */
  sections: { letter: string; bar: number; bars: number }[];
  voices: ComposedVoice[];
}
