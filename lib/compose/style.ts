/**
 * The types of a style, and the metres and drums that styles name. The tables themselves are in styles.ts.
 *
 * A pattern is a text that divides one bar into slots of equal length: `x.x.x.x.` in 4/4 has eighths. `-` holds the
 * sound before it, `.` is silence.
 *   chords  x the chord · 0 1 2 3 one note of it, from below
 *   bass    R root · 3 5 7 of the chord · 8 octave · l fifth below · a step to the next root
 *   drums   x a hit; one text for each instrument
 */
import type { HarmonyKind, Mode } from './harmony.ts';

/** Rhythmic density of a melody. melody.ts has the rhythms. */
export type Density = 'calm' | 'moving' | 'running' | 'syncopated';

/** A metre in sixteenths. */
export interface MetreGrid {
  numerator: number;
  denominator: number;
  /** sixteenths in a bar */
  bar: number;
  /** sixteenths in a beat: 4, or 6 if the beat is a dotted quarter */
  beat: number;
  /** whether the beat is a dotted quarter */
  compound: boolean;
}

/** The metres that styles use. */
export type MetreName = '2/4' | '3/4' | '4/4' | '6/8' | '9/8' | '12/8';

/** The metres by name. */
export const METRES: Record<MetreName, MetreGrid> = {
  '2/4': { numerator: 2, denominator: 4, bar: 8, beat: 4, compound: false },
  '3/4': { numerator: 3, denominator: 4, bar: 12, beat: 4, compound: false },
  '4/4': { numerator: 4, denominator: 4, bar: 16, beat: 4, compound: false },
  '6/8': { numerator: 6, denominator: 8, bar: 12, beat: 6, compound: true },
  '9/8': { numerator: 9, denominator: 8, bar: 18, beat: 6, compound: true },
  '12/8': { numerator: 12, denominator: 8, bar: 24, beat: 6, compound: true },
};

/** The function of a voice. Every piece has a melody; the other voices follow chords, melody or patterns. */
export type Role = 'melody' | 'thirds' | 'imitation' | 'chords' | 'pad' | 'inner' | 'bass' | 'drums';

/** A voice that a style may have. */
export interface Layer {
  role: Role;
  /** General MIDI program numbers, 0 to 127, to choose from */
  programs: readonly number[];
  /** the probability that a piece has this voice */
  presence: number;
}

/** Drum patterns by instrument: the normal bar, and the last bar of a section. */
export interface Beat {
  groove: Readonly<Partial<Record<DrumName, string>>>;
  fill: Readonly<Partial<Record<DrumName, string>>>;
}

/** General MIDI percussion keys. */
export const DRUMS = {
  kick: 36,
  rim: 37,
  snare: 38,
  clap: 39,
  hat: 42,
  lowTom: 45,
  openHat: 46,
  midTom: 47,
  crash: 49,
  highTom: 50,
  ride: 51,
  tambourine: 54,
  shaker: 70,
} as const;
/** Names of the drums. */
export type DrumName = keyof typeof DRUMS;

/** The accompaniment patterns of a style in one metre, to choose from. */
export interface Patterns {
  chords: readonly string[];
  bass: readonly string[];
  drums: readonly Beat[];
}

/**
 * A form: sections named by letters. `i` is an introduction without melody. An apostrophe raises the section by a whole
 * tone.
 */
export interface Form {
  name: string;
  sections: readonly string[];
  /** bars in a section; an introduction has half as many, at most four */
  bars: number;
}

/** A style. Numbers beside items are weights. */
export interface Style {
  name: string;
  weight: number;
  modes: readonly (readonly [Mode, number])[];
  harmony: HarmonyKind;
  chordsPerBar: 1 | 2;
  chordSize: 2 | 3 | 4;
  density: readonly Density[];
  /** beats per minute; the beat depends on the metre */
  tempo: readonly [low: number, high: number];
  forms: readonly Form[];
  layers: readonly Layer[];
  patterns: Readonly<Partial<Record<MetreName, Patterns>>>;
}
