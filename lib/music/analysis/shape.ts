/** Counts of bars, notes and silence, for the filters of a data set; and the removal of silence at the beginning. */
import { countNotes, type Score } from '../model/index.ts';

/** The size of a score. */
export interface Shape {
  voices: number;
  /** number of drum voices: 0 or 1 */
  drumVoices: number;
  bars: number;
  notes: number;
  /** bars in which nothing sounds */
  emptyBars: number;
  /** empty bars before the first note */
  leadingEmptyBars: number;
  /** the largest number of empty bars in a row */
  longestSilence: number;
  /** length in quarter notes */
  beats: number;
}

/** Counts the bars, notes and silence of a score. */
export function shapeOf(score: Score): Shape {
  const sounding = soundingBars(score);
  let emptyBars = 0;
  let silence = 0;
  let longestSilence = 0;
  for (const sounds of sounding) {
    silence = sounds ? 0 : silence + 1;
    emptyBars += sounds ? 0 : 1;
    longestSilence = Math.max(longestSilence, silence);
  }
  const last = score.bars.at(-1);
  return {
    voices: score.voices.length,
    drumVoices: score.voices.filter((voice) => voice.drum).length,
    bars: score.bars.length,
    notes: countNotes(score),
    emptyBars,
    leadingEmptyBars: Math.max(0, sounding.indexOf(true)),
    longestSilence,
    beats: last === undefined ? 0 : (last.start + last.length) / score.unitsPerBeat,
  };
}

/** For each bar, whether a note sounds in it. */
function soundingBars(score: Score): boolean[] {
  const sounding = new Array<boolean>(score.bars.length).fill(false);
  for (const { notes } of score.voices) {
    let from = 0;
    for (const { start, duration } of notes) {
      while (score.bars[from].start + score.bars[from].length <= start) from++;
      for (let b = from; b < score.bars.length && score.bars[b].start < start + duration; b++) sounding[b] = true;
    }
  }
  return sounding;
}

/** Removes the bars before the first note. */
export function trimLeadingSilence(score: Score): Score {
  const empty = soundingBars(score).indexOf(true);
  if (empty <= 0) return score;
  const offset = score.bars[empty].start;
  return {
    unitsPerBeat: score.unitsPerBeat,
    bars: score.bars.slice(empty).map((bar) => ({ ...bar, start: bar.start - offset })),
    voices: score.voices.map((voice) => ({
      drum: voice.drum,
      notes: voice.notes.map((note) => ({ ...note, start: note.start - offset })),
    })),
  };
}
