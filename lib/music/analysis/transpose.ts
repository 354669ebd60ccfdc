/** Transposes pitches and keys by semitones, but not drums. Used to augment training data. */

import { compareNotes, keyOn, MusicError, type Score, type ScoreBar } from '../model/index.ts';

/** The lowest and highest MIDI note of the pitched voices, or undefined if there are only drums. */
export function pitchRange(score: Score): { lowest: number; highest: number } | undefined {
  let lowest = 128;
  let highest = -1;
  for (const voice of score.voices) {
    if (voice.drum) continue;
    for (const { pitch } of voice.notes) {
      if (pitch < lowest) lowest = pitch;
      if (pitch > highest) highest = pitch;
    }
  }
  return highest < 0 ? undefined : { lowest, highest };
}

/**
 * Transposes a score. Keys get the signature with the fewest accidentals.
 *
 * @throws MusicError if a note would leave MIDI's 0–127, or `semitones` is not a whole number
 */
export function transposeScore(score: Score, semitones: number): Score {
  if (!Number.isInteger(semitones)) throw new MusicError(`music is transposed by whole semitones, not by ${semitones}`);
  const range = pitchRange(score);
  if (semitones === 0 || range === undefined) return score;
  if (range.lowest + semitones < 0 || range.highest + semitones > 127) {
    throw new MusicError(
      `transposed by ${semitones} semitones, notes ${range.lowest}–${range.highest} would leave MIDI's 0–127`,
    );
  }
  return {
    unitsPerBeat: score.unitsPerBeat,
    bars: score.bars.map((bar) => ({ ...bar, fifths: transposeFifths(bar, semitones) })),
    voices: score.voices.map((voice) =>
      voice.drum
        ? voice
        : {
            drum: false,
            notes: voice.notes.map((note) => ({ ...note, pitch: note.pitch + semitones })).sort(compareNotes),
          },
    ),
  };
}

function transposeFifths(bar: ScoreBar, semitones: number): number {
  const tonic = bar.fifths * 7 + (bar.minor ? 9 : 0) + semitones;
  return keyOn(((tonic % 12) + 12) % 12, bar.minor).fifths;
}
