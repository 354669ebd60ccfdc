/**
 * Estimates the key of music without a key signature, from its pitch classes.
 *
 * Krumhansl and Schmuckler's algorithm: it chooses the key whose profile correlates best with the durations of the
 * pitch classes. The profiles are the probe-tone ratings of Krumhansl and Kessler.
 *
 * @see Krumhansl and Kessler 1982; Krumhansl, Cognitive Foundations of Musical Pitch, 1990, p. 30
 */
import type { ScoreVoice } from './score.ts';

/** A key signature and its mode. */
export interface Key {
  /** number of sharps, −7…7; flats are negative */
  fifths: number;
  minor: boolean;
}

/** Ratings of the twelve pitch classes from the tonic up. */
const MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR = [6.33, 2.68, 3.52, 5.38, 2.6, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];

/** Signatures by pitch class of the major tonic, with the fewest accidentals. Six sharps are preferred to six flats. */
const FIFTHS_OF_MAJOR_TONIC = [0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5];

/** The signature of the major or minor key on this pitch class. */
export function keyOn(tonic: number, minor: boolean): Key {
  const majorTonic = (tonic + (minor ? 3 : 0)) % 12;
  return { fifths: FIFTHS_OF_MAJOR_TONIC[majorTonic], minor };
}

/** The steps that each pitch class sounds in all pitched voices. */
function pitchClassDurations(voices: ScoreVoice[]): number[] {
  const durations = new Array<number>(12).fill(0);
  for (const voice of voices) {
    if (voice.drum) continue;
    for (const note of voice.notes) durations[note.pitch % 12] += note.duration;
  }
  return durations;
}

/** Estimates the key of pitched voices. Returns C major if there are only drums. */
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

/** Pearson's r of the durations and a profile placed on a tonic; 0 if all durations are equal. */
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
