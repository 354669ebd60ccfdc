/**
 * Finds jumps: da capo, dal segno, to the coda. They are not played, as abc2midi and abcjs do not play them either, so
 * the reader names each.
 *
 * People write them as decorations (`!D.C.!`, `!dacapo!`), as annotations (`"^D.S. al Coda"`) and as P: fields. The
 * marks to which a jump leads (segno, coda, fine) are not jumps.
 *
 * @see ABC standard 2.1, §4.14 (decorations), §4.19 (annotations)
 */

/** The parts of a line of music that may be a jump: quoted texts and decorations. */
const MARKS = /"((?:[^"\\]|\\.){1,200})"|!([^!|]{1,40})!|\+([^+|]{1,40})\+/g;
/** `DC` and `DS` without points only in capitals. */
const JUMP =
  /(?<![A-Za-z])(?:[Dd]\. ?[CcSs](?![A-Za-z])|D[CS](?= *$| al )|[Dd]a ?[Cc](?:apo|oda)|[Dd]al ?[Ss]egno|[Tt]o [Cc]oda)/;

/** Whether a text asks for a jump. */
export function isJump(text: string): boolean {
  return JUMP.test(text);
}

/** The jumps in a line of music, as they are written. */
export function jumpsIn(line: string): string[] {
  if (!/["!+]/.test(line)) return [];
  const texts = [...line.matchAll(MARKS)].map(([, quoted, decoration, old]) => quoted ?? decoration ?? old);
  return texts.filter(isJump).map((text) => text.replace(/^[\^_<>@]/, ''));
}
