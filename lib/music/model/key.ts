/**
 * Estimates the key of music from its pitch classes.
 *
 * Krumhansl and Schmuckler's algorithm: it chooses the key whose profile correlates best with the durations of the
 * pitch classes. The profiles are Temperley's: the share of the passages in Kostka and Payne's textbook of harmony in
 * which each scale degree occurs. They name more keys right than the probe-tone ratings of Krumhansl and Kessler.
 *
 * @see Krumhansl, Cognitive Foundations of Musical Pitch, 1990, chapter 4; Temperley, Music and Probability, 2007,
 *   chapter 6
 */

/** A key signature and its mode. */
export interface Key {
  /** number of sharps, −7…7; flats are negative */
  fifths: number;
  minor: boolean;
}

/** Shares of the passages that have each pitch class, from the tonic up. */
const MAJOR = [0.748, 0.06, 0.488, 0.082, 0.67, 0.46, 0.096, 0.715, 0.104, 0.366, 0.057, 0.4];
const MINOR = [0.712, 0.084, 0.474, 0.618, 0.049, 0.46, 0.105, 0.747, 0.404, 0.067, 0.133, 0.33];

const MAJOR_SCALE = [0, 2, 4, 5, 7, 9, 11];
/** With at most this many pitch classes, the profiles are not reliable: see detectKey. */
const FEWEST_CLASSES_THAT_FIT = 2;
const FEW_CLASSES = 4;

/** Signatures by pitch class of the major tonic, with the fewest accidentals. Six sharps are preferred to six flats. */
const FIFTHS_OF_MAJOR_TONIC = [0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5];

/** The signature of the major or minor key on this pitch class. */
export function keyOn(tonic: number, minor: boolean): Key {
  const majorTonic = (tonic + (minor ? 3 : 0)) % 12;
  return { fifths: FIFTHS_OF_MAJOR_TONIC[majorTonic], minor };
}

/** Durations by pitch class, C first; in any unit, the same for all. */
export type PitchClassDurations = readonly number[];

/** How long each pitch class sounds in all pitched voices, in the unit of their durations. */
export function pitchClassDurations(
  voices: readonly { drum: boolean; notes: readonly { pitch: number; duration: number }[] }[],
): PitchClassDurations {
  const durations = new Array<number>(12).fill(0);
  for (const voice of voices) {
    if (voice.drum) continue;
    for (const note of voice.notes) durations[note.pitch % 12] += note.duration;
  }
  return durations;
}

/**
 * Estimates the key from pitch classes. Returns C major if nothing sounds, or all of them sound equally long.
 *
 * Fewer than five pitch classes are in many keys, so the key must then have all of them in its scale. With one or two,
 * it is the one with the fewest sharps or flats.
 */
export function detectKey(durations: PitchClassDurations): Key {
  const classes = durations.flatMap((duration, pitchClass) => (duration > 0 ? [pitchClass] : []));
  let best: Key = { fifths: 0, minor: false };
  if (classes.length <= FEWEST_CLASSES_THAT_FIT) return simplestKey(classes);
  let bestFit = 0;
  for (const minor of [false, true]) {
    const profile = minor ? MINOR : MAJOR;
    for (let tonic = 0; tonic < 12; tonic++) {
      if (classes.length <= FEW_CLASSES && !holds(keyOn(tonic, minor), classes)) continue;
      const fit = correlation(durations, profile, tonic);
      if (fit > bestFit + 1e-12) {
        bestFit = fit;
        best = keyOn(tonic, minor);
      }
    }
  }
  return best;
}

/** The major key with the fewest sharps or flats that has these pitch classes in its scale; C major if none has. */
function simplestKey(classes: readonly number[]): Key {
  for (const fifths of [0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6]) {
    const key = { fifths, minor: false };
    if (holds(key, classes)) return key;
  }
  return { fifths: 0, minor: false };
}

/** Whether the notes of a key's signature have all these pitch classes. */
function holds({ fifths }: Key, classes: readonly number[]): boolean {
  return classes.every((pitchClass) => MAJOR_SCALE.includes((((pitchClass - 7 * fifths) % 12) + 12) % 12));
}

/** For how long pitch classes sound that the key's signature does not have, in the unit of the durations. */
export function accidentalDuration(durations: PitchClassDurations, key: Key): number {
  return durations.reduce((sum, duration, pitchClass) => sum + (holds(key, [pitchClass]) ? 0 : duration), 0);
}

/** How well a key fits pitch classes: the correlation with its profile, −1…1; 0 if nothing sounds. */
export function keyFit(durations: PitchClassDurations, { fifths, minor }: Key): number {
  const tonic = (((fifths * 7 + (minor ? 9 : 0)) % 12) + 12) % 12;
  return correlation(durations, minor ? MINOR : MAJOR, tonic);
}

/** Pearson's r of the durations and a profile placed on a tonic; 0 if all durations are equal. */
function correlation(durations: PitchClassDurations, profile: number[], tonic: number): number {
  const meanD = durations.reduce((a, b) => a + b, 0) / 12;
  const meanP = profile.reduce((a, b) => a + b, 0) / 12;
  let dp = 0;
  let dd = 0;
  let pp = 0;
  for (let i = 0; i < 12; i++) {
    const d = durations[(tonic + i) % 12] - meanD;
    const p = profile[i] - meanP;
    dp += d * p;
    dd += d * d;
    pp += p * p;
  }
  return dd === 0 ? 0 : dp / Math.sqrt(dd * pp);
}
