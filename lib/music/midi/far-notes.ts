/**
 * Leaves out notes that one damaged delta time moved far behind the music, and shortens notes whose end was moved so.
 * They would add thousands of silent bars.
 */
import type { NoteSequence } from '../model/index.ts';

/** Silence of all parts, in beats. Music of people has no silence of a hundred bars. */
const MIN_SILENCE_BEATS = 400;
/** The silence must also be this many times as long as the music before it. */
const MIN_SILENCE_RATIO = 4;
/** The largest share of the notes that may be left out; one note always may. */
const MAX_SHARE = 0.01;
/** A longer note gets the length of a bar. */
const MAX_NOTE_BEATS = 2000;
const BAR_BEATS = 4;

/** Changes a sequence. Returns a warning for each change. */
export function dropFarNotes(sequence: NoteSequence): string[] {
  const warnings: string[] = [];
  const { parts, ticksPerBeat } = sequence;
  let end = 0;
  let long = 0;
  let count = 0;
  for (const { notes } of parts) {
    for (const note of notes) {
      if (note.duration > MAX_NOTE_BEATS * ticksPerBeat) {
        note.duration = BAR_BEATS * ticksPerBeat;
        long++;
      }
      end = Math.max(end, note.start);
      count++;
    }
  }
  if (long > 0) warnings.push(`${long} notes of more than ${MAX_NOTE_BEATS} beats were cut to a bar`);
  if (end < MIN_SILENCE_BEATS * ticksPerBeat) return warnings;
  const far = farFrom(sequence, Math.max(1, MAX_SHARE * count));
  if (far === undefined) return warnings;
  let dropped = 0;
  for (const part of parts) {
    const before = part.notes.length;
    part.notes = part.notes.filter(({ start }) => start < far);
    dropped += before - part.notes.length;
  }
  sequence.parts = parts.filter(({ notes }) => notes.length > 0);
  warnings.push(`${dropped} notes far behind the music were left out`);
  return warnings;
}

/** The tick from which the last notes, at most `most`, follow a long silence; undefined if they do not. */
function farFrom({ parts, ticksPerBeat }: NoteSequence, most: number): number | undefined {
  const notes = parts.flatMap((part) => part.notes).sort((a, b) => a.start - b.start);
  const first = notes[0].start;
  let end = 0;
  for (const [i, { start, duration }] of notes.entries()) {
    const silence = start - end;
    const isFar = silence > MIN_SILENCE_BEATS * ticksPerBeat && silence > MIN_SILENCE_RATIO * (end - first);
    if (i > 0 && notes.length - i <= most && isFar) return start;
    end = Math.max(end, start + duration);
  }
  return undefined;
}
