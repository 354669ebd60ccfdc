/**
 * What a style of the composer is: the words that compose-styles.ts writes its tables in, and the metres and drums they name.
 *
 * A pattern is a text that fills one bar with slots of equal length, so `x.x.x.x.` in 4/4 has eighths. `-` holds what
 * sounds, `.` is silence.
 *   chords  x the chord · 0 1 2 3 one note of it, from below
 *   bass    R root · 3 5 7 of the chord · 8 octave · l fifth below · a step to the next root
 *   drums   x a hit, one text an instrument
 */
import type { HarmonyKind, Mode } from './harmony.ts';

/** How busy a melody is; its rhythms are in compose-melody.ts. */
export type Density = 'calm' | 'moving' | 'running' | 'syncopated';

export interface MetreGrid {
  numerator: number;
  denominator: number;
  /** sixteenths in a bar */
  bar: number;
  /** sixteenths in a beat: 4, or 6 where the beat is a dotted quarter */
  beat: number;
  compound: boolean;
}

export type MetreName = '2/4' | '3/4' | '4/4' | '6/8' | '9/8' | '12/8';

export const METRES: Record<MetreName, MetreGrid> = {
  '2/4': { numerator: 2, denominator: 4, bar: 8, beat: 4, compound: false },
  '3/4': { numerator: 3, denominator: 4, bar: 12, beat: 4, compound: false },
  '4/4': { numerator: 4, denominator: 4, bar: 16, beat: 4, compound: false },
  '6/8': { numerator: 6, denominator: 8, bar: 12, beat: 6, compound: true },
  '9/8': { numerator: 9, denominator: 8, bar: 18, beat: 6, compound: true },
  '12/8': { numerator: 12, denominator: 8, bar: 24, beat: 6, compound: true },
};

/** What a voice does. The melody is everybody's; the others follow chords, melody or patterns. */
export type Role = 'melody' | 'thirds' | 'imitation' | 'chords' | 'pad' | 'inner' | 'bass' | 'drums';

export interface Layer {
  role: Role;
  /** General MIDI programs to choose from, from 0 */
  programs: readonly number[];
  /** how likely the voice is there at all */
  presence: number;
}

/** One bar of the kit by instrument, and the bar that leads into the next section. */
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
export type DrumName = keyof typeof DRUMS;

export interface Patterns {
  chords: readonly string[];
  bass: readonly string[];
  drums: readonly Beat[];
}

/** Sections by letter; `i` is an introduction without melody, and an apostrophe lifts the section a tone. */
export interface Form {
  name: string;
  sections: readonly string[];
  /** bars in a section; an introduction has half as many, at most four */
  bars: number;
}

export interface Style {
  name: string;
  weight: number;
  modes: readonly (readonly [Mode, number])[];
  harmony: HarmonyKind;
  chordsPerBar: 1 | 2;
  chordSize: 2 | 3 | 4;
  density: readonly Density[];
  /** beats a minute, of whatever the beat is */
  tempo: readonly [low: number, high: number];
  forms: readonly Form[];
  layers: readonly Layer[];
  patterns: Readonly<Partial<Record<MetreName, Patterns>>>;
}
