/**
 * The key of music that does not say its key, by its pitch classes.
 *
 * Krumhansl and Schmuckler's algorithm: the key whose profile correlates best with the time that each pitch class sounds,
 * with the probe-tone profiles of Krumhansl and Kessler (1982; in Krumhansl, Cognitive Foundations of Musical Pitch, 1990, p. 30).
 */
import type { ScoreVoice } from './score.ts';

export interface Key {
  /** sharps, or flats below zero: −7…7 */
  fifths: number;
  minor: boolean;
}

const MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR = [6.33, 2.68, 3.52, 5.38, 2.6, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];

/** Signatures by pitch class of the major tonic: the fewer accidentals of two; of six, sharps (as F♯, not G♭). */
const FIFTHS_OF_MAJOR_TONIC = [0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5];

/** The signature of the major or minor key on this pitch class. */
export function keyOn(tonic: number, minor: boolean): Key {
  const majorTonic = (tonic + (minor ? 3 : 0)) % 12;
  return { fifths: FIFTHS_OF_MAJOR_TONIC[majorTonic], minor };
}

/** Steps that each pitch class sounds, drums left out. */
function pitchClassDurations(voices: ScoreVoice[]): number[] {
  const durations = new Array<number>(12).fill(0);
  for (const voice of voices) {
    if (voice.drum) continue;
    for (const note of voice.notes) durations[note.pitch % 12] += note.duration;
  }
  return durations;
}

/** C major where nothing but drums sounds. */
export function detectKey(voices: ScoreVoice[]): Key {
  const durations = pitchClassDurations(voices);
  let best: Key = { fifths: 0, minor: false };
  let bestCorrelation = 0;
  for (const minor of [false, true]) {
    const profile = minor ? MINOR : MAJOR;
    for (let tonic = 0; tonic < 12; tonic++) {
      const r = correlation(durations, profile, tonic);
      if (r > bestCorrelation + 1e-12) {
        bestCorrelation = r;
        best = keyOn(tonic, minor);
      }
    }
  }
  return best;
}

/** Pearson's r of the durations with a profile whose first entry is the tonic; 0 where all durations are equal. */
function correlation(durations: number[], profile: number[], tonic: number): number {
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
