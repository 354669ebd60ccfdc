/**
 * Quantises a NoteSequence into a Score: joins parts to voices, lays bars, and moves every onset and duration to the
 * grid of its beat, by less than one step. Notes on a grid do not move, so a score that is played and read again does
 * not change.
 */
import {
  accidentalDuration,
  compareNotes,
  detectKey,
  type KeyChange,
  keyFit,
  MusicError,
  type NoteSequence,
  pitchClassDurations,
  type Score,
  type ScoreVoice,
  UNITS_PER_STEP,
} from '../model/index.ts';
import { layBars, setKeys, setOneTempo } from './bars.ts';
import { Beats, mayHaveTuplets } from './beat-grids.ts';
import { joinParts } from './join-parts.ts';
import { onsetsOf, quantisePart } from './quantise-part.ts';

/** Steps per quarter note. */
export const DEFAULT_GRID = 16;
const GRIDS = [1, 2, 4, 8, 16, 32];
/** A file's own C major is replaced by a key that fits so much better, see keyFit. */
const MIN_FIT_GAIN = 0.2;
/** With fewer notes, a file's own C major is kept. */
const MIN_NOTES_FOR_KEY = 32;

/** How a sequence is quantised. */
export interface QuantiseOptions {
  /** steps per quarter note: 1, 2, 4, 8, 16 or 32; default 16 */
  grid?: number;
  /** whether a beat may have triplets or quintuplets; default true */
  tuplets?: boolean;
  /** whether the tempo may change; otherwise all bars have the mean tempo. Default true */
  tempoChanges?: boolean;
  /**
   * whether keys that are all C major are compared with what sounds: many programs write C major into every MIDI file.
   * Default false
   */
  doubtCMajor?: boolean;
}

/** A quantised sequence. */
export interface Quantised {
  score: Score;
  /** a sentence for every metre or part that could not be kept */
  warnings: string[];
  /** the share of the onsets that are on no grid, neither of triplets nor of quintuplets: small if music was written */
  offGrid: number;
}

/**
 * Quantises a sequence.
 *
 * @throws MusicError if there is no note, the grid is none of these, or the music has more bars than bars.ts allows
 */
export function quantise(
  sequence: NoteSequence,
  { grid = DEFAULT_GRID, tuplets = true, tempoChanges = true, doubtCMajor = false }: QuantiseOptions = {},
): Quantised {
  if (!GRIDS.includes(grid)) {
    throw new MusicError(
      `a grid of ${grid} steps a beat cannot be written in ABC: it must be one of ${GRIDS.join(', ')}`,
    );
  }
  const warnings: string[] = [];
  const parts = joinParts(sequence.parts, warnings);
  if (parts.length === 0) throw new MusicError('there is no note in it');
  const unitsPerBeat = grid * UNITS_PER_STEP;
  let lastTick = 0;
  for (const part of parts) for (const note of part.notes) lastTick = Math.max(lastTick, note.start + note.duration);
  // One step more, for notes of duration 0 and for rounding.
  const bars = layBars(sequence, grid, Math.ceil((lastTick * grid) / sequence.ticksPerBeat) + 1, warnings);
  const unitsPerTick = unitsPerBeat / sequence.ticksPerBeat;
  const beats = new Beats(bars, unitsPerBeat);
  const onsets = parts.map((part) => onsetsOf(part, beats, unitsPerTick));
  const isOnBeat = mayHaveTuplets(onsets);
  const settings = { bars, beats, unitsPerTick, tuplets: tuplets && isOnBeat };
  const voices = sortVoices(parts.map((part, p) => quantisePart(part, onsets[p], settings)));
  let end = 0;
  for (const voice of voices) for (const note of voice.notes) end = Math.max(end, note.start + note.duration);
  while (bars[bars.length - 1].start >= end) bars.pop();
  if (!tempoChanges) setOneTempo(bars);
  // A key after the last note is no key of the music.
  const keys = sequence.keys.filter(({ tick }) => tick < Math.max(lastTick, 1));
  setKeys(bars, keyChanges(keys, voices, doubtCMajor), unitsPerTick);
  const notes = voices.reduce((sum, voice) => sum + voice.notes.length, 0);
  const off = onsets.reduce((sum, o) => sum + o.off + (isOnBeat && o.hasTuplets ? 0 : o.onTuplets), 0);
  return { score: { unitsPerBeat, bars, voices }, warnings, offGrid: off / notes };
}

/**
 * The keys of a sequence. If there is none, or it is not credible, the key is estimated from the notes. Drums alone have
 * none, and are written as in C.
 */
function keyChanges(keys: KeyChange[], voices: ScoreVoice[], doubtCMajor: boolean): KeyChange[] {
  if (voices.every(({ drum }) => drum)) return [{ tick: 0, fifths: 0, minor: false }];
  const isCMajor = keys.every(({ fifths, minor }) => fifths === 0 && !minor);
  if (keys.length > 0 && !(doubtCMajor && isCMajor)) return keys;
  const durations = pitchClassDurations(voices);
  const detected = { tick: 0, ...detectKey(durations) };
  if (keys.length === 0) return [detected];
  const notes = voices.reduce((sum, { drum, notes }) => sum + (drum ? 0 : notes.length), 0);
  const cMajor = { fifths: 0, minor: false };
  const gain = keyFit(durations, detected) - keyFit(durations, cMajor);
  // Music in D Dorian or G Mixolydian has the signature of C major; another one would give it more accidentals.
  const hasFewerAccidentals = accidentalDuration(durations, detected) < accidentalDuration(durations, cMajor);
  const isWrong = hasFewerAccidentals && notes >= MIN_NOTES_FOR_KEY && gain >= MIN_FIT_GAIN;
  return isWrong ? [detected] : keys;
}

/** Sorts voices from high to low by mean pitch, drums last. Voices of equal mean pitch are ordered by their notes. */
function sortVoices(voices: ScoreVoice[]): ScoreVoice[] {
  const means = new Map(voices.map((voice) => [voice, meanPitch(voice)]));
  return voices.sort((a, b) => {
    if (a.drum !== b.drum) return a.drum ? 1 : -1;
    return means.get(b)! - means.get(a)! || compareByNotes(a, b);
  });
}

function meanPitch({ notes }: ScoreVoice): number {
  let sum = 0;
  for (const note of notes) sum += note.pitch;
  return sum / notes.length;
}

function compareByNotes(a: ScoreVoice, b: ScoreVoice): number {
  for (let i = 0; i < Math.min(a.notes.length, b.notes.length); i++) {
    const order = compareNotes(a.notes[i], b.notes[i]);
    if (order !== 0) return order;
  }
  return a.notes.length - b.notes.length;
}
