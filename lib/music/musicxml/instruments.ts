/**
 * The instruments of a part, and the sounds of its percussion.
 *
 * @see MusicXML 4.0: score-part, midi-instrument, unpitched
 */
import { childrenOf, numberIn, textIn, type XmlElement } from './xml.ts';

/** An instrument of a part. */
export interface Instrument {
  /** General MIDI program, 0–127 */
  program: number;
  /** whether it is on the drum channel */
  drum: boolean;
  /** the General MIDI percussion key of its sound, if it has only one */
  unpitched: number | undefined;
}

/** The instrument of a part that names none: a piano, as in a MIDI file without a program. */
const PIANO: Instrument = { program: 0, drum: false, unpitched: undefined };
const DRUM_CHANNEL = 10;

/** The instruments of one part by their ids. */
export class Instruments {
  readonly #byId = new Map<string, Instrument>();

  /** Reads the midi-instrument elements of a score-part or of a sound. Later ones change those of the same id. */
  add(element: XmlElement): void {
    for (const midi of childrenOf(element, 'midi-instrument')) {
      const id = midi.attributes.id ?? '';
      const before = this.#byId.get(id) ?? PIANO;
      const program = numberIn(midi, 'midi-program');
      const channel = numberIn(midi, 'midi-channel');
      const unpitched = numberIn(midi, 'midi-unpitched');
      // All three count from 1.
      this.#byId.set(id, {
        program: isByte(program) ? program - 1 : before.program,
        drum: channel === undefined ? before.drum : channel === DRUM_CHANNEL,
        unpitched: isByte(unpitched) ? unpitched - 1 : before.unpitched,
      });
    }
  }

  /** The instrument of a note: the one that it names, or the first of the part. */
  of(id: string | undefined): Instrument {
    const named = id === undefined ? undefined : this.#byId.get(id);
    if (named !== undefined) return named;
    for (const first of this.#byId.values()) return first;
    return PIANO;
  }
}

function isByte(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= 128;
}

/** The letters in the order of the staff. */
const STEPS = 'CDEFGAB';
/** The percussion keys of the usual drum notation by staff position, D4 (below the staff) to A5 (above it). */
const DRUM_SET = [44, 36, 36, 41, 43, 45, 38, 47, 50, 51, 42, 49];
const DRUM_SET_FROM = 4 * 7 + STEPS.indexOf('D');
const SNARE = 38;

/** The percussion key that a note without a named sound most likely has: by its position on a staff of drums. */
export function guessedDrum(unpitched: XmlElement): number {
  const step = textIn(unpitched, 'display-step') ?? '';
  const octave = numberIn(unpitched, 'display-octave');
  if (step.length !== 1 || !STEPS.includes(step) || octave === undefined) return SNARE;
  return DRUM_SET[octave * 7 + STEPS.indexOf(step) - DRUM_SET_FROM] ?? SNARE;
}
