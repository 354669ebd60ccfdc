/**
 * The composer's harmony: scales, chords on scale degrees, and the grammar that makes phrases of chords.
 *
 * A degree is a number of scale steps above the tonic nearest to middle C: 0 is the tonic, 2 the third, 7 the octave,
 * −3 the fifth below. A chord is a stack of thirds on a degree. It may alter degrees while it sounds: the raised
 * leading note of a minor key's dominant, the flat third of a blues IV7. Melody and bass follow these alterations, so
 * that all voices agree.
 */
import type { SeededRandom } from './random.ts';

/** The modes of the composer. */
export type Mode = 'major' | 'minor' | 'dorian' | 'mixolydian';

/** A tonic and a mode. */
export interface ModalKey {
  /** pitch class, C = 0 */
  tonic: number;
  mode: Mode;
}

/** A stack of thirds. */
export interface Chord {
  /** degree, 0–6 */
  root: number;
  /** number of notes: 2 for a bare fifth, 3 for a triad, 4 for a seventh chord */
  size: 2 | 3 | 4;
  /** alterations in semitones, by degree (0–6) */
  alter: Readonly<Record<number, number>>;
}

/** The chords at the end of a phrase: V, V–I, IV–I, or V–vi. */
export type Cadence = 'half' | 'authentic' | 'plagal' | 'deceptive';

/** The source of a style's chords: a grammar, a repeated loop, or the twelve-bar blues. */
export type HarmonyKind = 'functional' | 'loop' | 'blues';

const SCALES: Record<Mode, readonly number[]> = {
  major: [0, 2, 4, 5, 7, 9, 11],
  minor: [0, 2, 3, 5, 7, 8, 10],
  dorian: [0, 2, 3, 5, 7, 9, 10],
  mixolydian: [0, 2, 4, 5, 7, 9, 10],
};

/** Semitones from a mode's tonic up to the tonic of the major key with the same signature. */
const TO_RELATIVE_MAJOR: Record<Mode, number> = { major: 0, minor: 3, dorian: 10, mixolydian: 5 };

/** Pitch class of the major key that shares this key's signature. */
export function relativeMajor(key: ModalKey): number {
  return (key.tonic + TO_RELATIVE_MAJOR[key.mode]) % 12;
}

/** The key of a mode under the signature of a major key. */
export function keyOfSignature(major: number, mode: Mode): ModalKey {
  return { tonic: (major - TO_RELATIVE_MAJOR[mode] + 12) % 12, mode };
}

/** MIDI pitch of a degree; degree 0 lies between G3 (55) and F♯4 (66). */
export function degreePitch(key: ModalKey, degree: number, alter: Chord['alter'] = {}): number {
  const inScale = modulo(degree, 7);
  const octave = (degree - inScale) / 7;
  const tonic = 55 + modulo(key.tonic - 55, 12);
  return tonic + 12 * octave + SCALES[key.mode][inScale] + (alter[inScale] ?? 0);
}

/** A chord's degrees from the root up. */
export function chordDegrees(chord: Chord): number[] {
  if (chord.size === 2) return [chord.root, chord.root + 4];
  return [0, 2, 4, 6].slice(0, chord.size).map((third) => chord.root + third);
}

/** Whether a degree, in any octave, belongs to a chord. */
export function isChordTone(degree: number, chord: Chord): boolean {
  const third = modulo(degree - chord.root, 7);
  // The third is a chord tone of a bare fifth too, because the melody may add it.
  return third === 0 || third === 2 || third === 4 || (third === 6 && chord.size === 4);
}

/** The chord tone nearest to a degree. Of two equally near ones, the one in `direction`. */
export function nearestChordTone(degree: number, chord: Chord, direction: 1 | -1 = 1): number {
  for (let distance = 0; distance < 7; distance++) {
    if (isChordTone(degree + distance * direction, chord)) return degree + distance * direction;
    if (isChordTone(degree - distance * direction, chord)) return degree - distance * direction;
  }
  return degree;
}

/** The chord of a mode on a degree. In minor, V and VII have the raised leading note. */
export function diatonicChord(mode: Mode, root: number, size: Chord['size'] = 3): Chord {
  const raised = mode === 'minor' && (root === 4 || root === 6);
  return { root: root % 7, size, alter: raised ? { 6: 1 } : {} };
}

/** The applied dominant of a degree: V of V, V of vi. */
function appliedDominant(mode: Mode, target: number, size: Chord['size']): Chord {
  const root = (target + 4) % 7;
  const third = (root + 2) % 7;
  const interval = modulo(SCALES[mode][third] - SCALES[mode][root], 12);
  return { root, size, alter: interval === 3 ? { [third]: 1 } : {} };
}

/** A symbol of the grammar: tonic, subdominant and dominant function. */
type HarmonicFunction = 'T' | 'S' | 'D';

const CHORDS_OF_FUNCTION: Record<
  'major' | 'minor',
  Record<HarmonicFunction, readonly (readonly [number, number])[]>
> = {
  major: {
    T: [
      [0, 4],
      [5, 3],
      [2, 1],
    ],
    S: [
      [3, 3],
      [1, 3],
    ],
    D: [[4, 1]],
  },
  minor: {
    T: [
      [0, 4],
      [5, 2],
      [2, 2],
    ],
    S: [
      [3, 4],
      [5, 1],
    ],
    D: [[4, 1]],
  },
};

/** The expansions of a tonic, with weights: the tonic alone, or with a subdominant or dominant before it. */
const TONIC_RULES: readonly (readonly [readonly HarmonicFunction[], number])[] = [
  [['T'], 4],
  [['S', 'T'], 2],
  [['D', 'T'], 3],
];

/**
 * Chords of one phrase of functional harmony.
 *
 *     phrase    → tonic… cadence
 *     tonic(n)  → I | tonic T | tonic S T | tonic D T
 *     cadence   → S V | S V I | IV I | V vi
 *
 * @param slots number of chords, at least 2
 */
export function functionalPhrase(
  random: SeededRandom,
  mode: Mode,
  slots: number,
  cadence: Cadence,
  size: Chord['size'],
): Chord[] {
  const table = CHORDS_OF_FUNCTION[mode === 'minor' || mode === 'dorian' ? 'minor' : 'major'];
  const chord = (root: number) => diatonicChord(mode, root, size);
  const pick = (fn: HarmonicFunction) => chord(random.weighted(table[fn]));

  const ending: Chord[] =
    cadence === 'half'
      ? [pick('S'), chord(4)]
      : cadence === 'authentic'
        ? [pick('S'), chord(4), chord(0)]
        : cadence === 'plagal'
          ? [chord(3), chord(0)]
          : [chord(4), chord(5)];
  while (ending.length >= slots) ending.shift();
  // The subdominant before a dominant may be replaced by the dominant of that dominant (V of V).
  if (ending.length > 1 && ending[1].root === 4 && mode === 'major' && random.chance(0.2)) {
    ending[0] = appliedDominant(mode, 4, size);
  }

  const chords: Chord[] = [chord(0)];
  while (chords.length < slots - ending.length) {
    const free = slots - ending.length - chords.length;
    const rule = random.weighted(TONIC_RULES.filter(([symbols]) => symbols.length <= free));
    for (const symbol of rule) chords.push(pick(symbol));
  }
  return [...chords, ...ending];
}

/** Roots of the four-chord loops of popular music, by mode. */
const LOOPS: Record<Mode, readonly (readonly number[])[]> = {
  major: [
    [0, 4, 5, 3],
    [0, 5, 3, 4],
    [5, 3, 0, 4],
    [0, 3, 5, 4],
    [0, 3, 0, 4],
  ],
  minor: [
    [0, 5, 2, 6],
    [0, 3, 5, 4],
    [0, 6, 5, 4],
    [0, 2, 3, 4],
  ],
  dorian: [
    [0, 3, 0, 3],
    [0, 6, 3, 0],
    [0, 2, 6, 3],
  ],
  mixolydian: [
    [0, 6, 3, 0],
    [0, 3, 6, 3],
    [0, 4, 3, 6],
  ],
};

/** Repeats a four-chord loop. VII in minor stays natural, as in popular music. */
export function loopPhrase(random: SeededRandom, mode: Mode, slots: number, size: Chord['size']): Chord[] {
  const roots = random.choose(LOOPS[mode]);
  return Array.from({ length: slots }, (_, slot) => {
    const root = roots[slot % roots.length];
    return root === 6 ? { root, size, alter: {} } : diatonicChord(mode, root, size);
  });
}

/** Twelve bars of blues in dominant sevenths over the mixolydian scale, with or without IV in bar 2 and V in bar 12. */
export function bluesChorus(random: SeededRandom): Chord[] {
  const quick = random.chance(0.5);
  const turnaround = random.chance(0.5);
  const roots = [0, quick ? 3 : 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, turnaround ? 4 : 0];
  const alter: Record<number, Chord['alter']> = { 0: {}, 3: { 2: -1 }, 4: { 6: 1 } };
  return roots.map((root) => ({ root, size: 4, alter: alter[root] }));
}

/** The remainder of value / by, from 0 to by − 1 even if the value is negative. */
export function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
