/**
 * Repairs files in which one damaged delta time moved notes by hundreds of bars. Unrepaired, they would have thousands of
 * silent bars.
 *
 *   - notes far behind the music are left out
 *   - notes whose end was moved are shortened
 *   - a long silence before or within the music is closed
 */
import type { NoteSequence, PlayedNote } from '../model/index.ts';

/** Silence of all parts, in beats. Music of people has no silence of a hundred bars. */
const MIN_SILENCE_BEATS = 400;
/** The silence must also be this many times as long as the music. */
const MIN_SILENCE_RATIO = 4;
/** The largest share of the notes that may be left out; the notes of one onset always may. */
const MAX_SHARE = 0.01;
/** A longer note gets the length of a bar. */
const MAX_NOTE_BEATS = 2000;
const BAR_BEATS = 4;

/** Changes a sequence. Returns a warning for each change. */
export function repairFarNotes(sequence: NoteSequence): string[] {
  const warnings: string[] = [];
  const { parts, ticksPerBeat } = sequence;
  /** the hundreds of beats in which notes begin */
  const hundreds = new Set<number>();
  const longest = MAX_NOTE_BEATS * ticksPerBeat;
  const ticksPerHundred = 100 * ticksPerBeat;
  let long = 0;
  for (const { notes } of parts) {
    // Notes are in order, so most begin in the hundred of the note before, and need no look at the set.
    let from = 0;
    let to = 0;
    for (const note of notes) {
      if (note.duration > longest) {
        note.duration = BAR_BEATS * ticksPerBeat;
        long++;
      }
      if (note.start >= from && note.start < to) continue;
      const hundred = Math.floor(note.start / ticksPerHundred);
      hundreds.add(hundred);
      from = hundred * ticksPerHundred;
      to = from + ticksPerHundred;
    }
  }
  if (long > 0) warnings.push(`${long} notes of more than ${MAX_NOTE_BEATS} beats were cut to a bar`);
  if (!hasSilence(hundreds)) return warnings;
  const notes = parts.flatMap((part) => part.notes).sort((a, b) => a.start - b.start);
  const far = farFrom(notes, ticksPerBeat);
  if (far < notes.length) {
    const from = notes[far].start;
    for (const part of parts) part.notes = part.notes.filter(({ start }) => start < from);
    sequence.parts = parts.filter((part) => part.notes.length > 0);
    warnings.push(`${notes.length - far} notes far behind the music were left out`);
  }
  const closed = closeSilence(sequence, notes.slice(0, far));
  if (closed > 0) warnings.push(`a silence of ${Math.round(closed)} beats was closed`);
  return warnings;
}

/** Whether there may be a long silence. Most music has none, and needs no sorting to see that. */
function hasSilence(hundreds: ReadonlySet<number>): boolean {
  const ascending = Float64Array.from(hundreds).sort();
  return ascending.some((hundred, i) => 100 * (hundred - (ascending[i - 1] ?? 0)) >= MIN_SILENCE_BEATS);
}

/** The index of the first of the last few notes that follow a long silence; the number of notes if none do. */
function farFrom(notes: readonly PlayedNote[], ticksPerBeat: number): number {
  const most = MAX_SHARE * notes.length;
  const first = notes[0].start;
  const last = notes[notes.length - 1].start;
  let end = 0;
  for (const [i, { start, duration }] of notes.entries()) {
    const silence = start - end;
    const isFar = silence > MIN_SILENCE_BEATS * ticksPerBeat && silence > MIN_SILENCE_RATIO * (end - first);
    if (i > 0 && isFar && (notes.length - i <= most || start === last)) return i;
    end = Math.max(end, start + duration);
  }
  return notes.length;
}

/**
 * Closes a silence that is much longer than all of the music, up to a bar or two: whole bars of 4/4 are taken away.
 *
 * @param notes of all parts, in order of start
 * @returns the beats that were taken away; 0 if there is no such silence
 */
function closeSilence(sequence: NoteSequence, notes: readonly PlayedNote[]): number {
  const { ticksPerBeat } = sequence;
  const total = notes.reduce((latest, { start, duration }) => Math.max(latest, start + duration), 0);
  let end = 0;
  for (const { start, duration } of notes) {
    const silence = start - end;
    if (silence > MIN_SILENCE_BEATS * ticksPerBeat && silence > MIN_SILENCE_RATIO * (total - silence)) {
      const bar = BAR_BEATS * ticksPerBeat;
      const shift = Math.floor(silence / bar - 1) * bar;
      for (const note of notes) if (note.start >= start) note.start -= shift;
      for (const changes of [sequence.tempos, sequence.metres, sequence.keys]) {
        for (const change of changes) if (change.tick > end) change.tick = Math.max(end, change.tick - shift);
      }
      return shift / ticksPerBeat;
    }
    end = Math.max(end, start + duration);
  }
  return 0;
}
