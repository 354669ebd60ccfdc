/**
 * Macros (m:): names in the music that stand for notes. `~G3 = G{A}G{F}G` replaces `~G3`; in `~n3 = (3o/n/m/`, n is any
 * note, and the letters h … z are the notes that many steps below or above it.
 *
 * @see ABC standard 2.1, §9
 */
import { LETTERS } from './characters.ts';

const MAX_MACROS = 100;
const MAX_LENGTH = 400;

/** A macro: its name in the music, and the notes that replace it. */
export interface Macro {
  name: string;
  notes: string;
}

/**
 * Reads the value of m: into a list. A later macro of the same name replaces the earlier one; longer names come first, so
 * that `~G` does not hide `~G3`.
 *
 * @returns what is wrong with the value; undefined if nothing is
 */
export function addMacro(macros: Macro[], value: string): string | undefined {
  const match = /^\s*([^=]+?)\s*=\s*(.*)$/.exec(value);
  if (match === null) return `m:${value} is not a macro, which has the form m:name=notes`;
  const [, name, notes] = match;
  const index = macros.findIndex((macro) => macro.name === name);
  if (name.length + notes.length > MAX_LENGTH || (index < 0 && macros.length >= MAX_MACROS))
    return `a macro is too long, or there are more than ${MAX_MACROS}`;
  if (index >= 0) macros.splice(index, 1);
  macros.push({ name, notes });
  macros.sort((a, b) => b.name.length - a.name.length);
  return undefined;
}

/**
 * Finds the macro whose name stands at a place of a line.
 *
 * @returns the length of what it replaces, and the notes; undefined if there is none
 */
export function findMacro(
  macros: readonly Macro[],
  text: string,
  at: number,
): { length: number; notes: string } | undefined {
  for (const { name, notes } of macros) {
    if (text.startsWith(name, at)) return { length: name.length, notes };
    if (!/[^n\d/]/.test(name) || !name.includes('n')) continue;
    const [before, after] = name.split('n');
    if (!text.startsWith(before, at)) continue;
    const note = /^[A-Ga-g][,']*/.exec(text.slice(at + before.length, at + before.length + 20));
    if (note === null || !text.startsWith(after, at + before.length + note[0].length)) continue;
    const step = stepOf(note[0]);
    const length = before.length + note[0].length + after.length;
    return { length, notes: notes.replace(/[h-z]/g, (letter) => noteAt(step + letter.charCodeAt(0) - N)) };
  }
  return undefined;
}

/** The letter n, from which the other letters of a macro count steps. */
const N = 'n'.charCodeAt(0);

/** The steps of a note above middle C: `c` is 7. */
function stepOf(note: string): number {
  const octaves = note.split("'").length - note.split(',').length;
  return LETTERS.indexOf(note[0]) + 7 * octaves;
}

/** The note that many steps above middle C. */
function noteAt(step: number): string {
  const letter = LETTERS[((step % 7) + 7) % 7];
  const octave = Math.floor(step / 7);
  return octave < 1 ? letter + ','.repeat(-octave) : letter.toLowerCase() + "'".repeat(octave - 1);
}
