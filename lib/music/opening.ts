/** The beginnings of tunes: header and some bars of a tune as a prompt, and a header for music without one. */

/** Without K:, a reader finds no music. */
const HEADER = 'X:1\nM:4/4\nL:1/8\nQ:1/4=120\nK:C\n';

/**
 * Puts a header before music that has none. A first line that is not whole is dropped, if there are others.
 *
 * @example withHeader('2|\n[V:1]CDEF|[V:2]C,4|\n') // 'X:1\n…K:C\nV:1\nV:2\n[V:1]CDEF|[V:2]C,4|\n'
 */
export function withHeader(music: string): string {
  const newline = music.indexOf('\n');
  const whole = music.startsWith('[V:1]') || newline < 0 ? music : music.slice(newline + 1);
  const voices = [...new Set([...whole.matchAll(/\[V:(\d+)\]/g)].map(([, id]) => Number(id)))].sort((a, b) => a - b);
  return HEADER + voices.map((id) => `V:${id}\n`).join('') + whole;
}

/**
 * Returns the header of a tune and its first bars. If voices are interleaved, the mark of the first voice follows, so that
 * no further voice can be declared.
 *
 * @param bars bars of each voice if they are interleaved, of the first voice otherwise; 0: the header alone. At least one
 *   line or bar of the tune is left out
 * @returns the text, and the number of bars in it
 * @throws RangeError if the text has no K: field
 * @example opening('X:1\nM:4/4\nL:1/4\nQ:1/4=120\nK:C\nCDEF|GABc|c4|\n', 1).text // '…K:C\nCDEF|'
 */
export function opening(abc: string, bars: number): { text: string; bars: number } {
  const lines = abc.split(/(?<=\n)/);
  const key = lines.findIndex((line) => line.startsWith('K:'));
  if (key < 0) throw new RangeError('the tune has no K: field');
  let body = key + 1;
  while (body < lines.length && /^(?:V:|%)/.test(lines[body])) body++;
  const header = lines.slice(0, body).join('');
  const music = lines.slice(body);
  const end = music.findIndex((line) => line.startsWith('V:'));
  const first = end < 0 ? music : music.slice(0, end);
  const interleaved = first[0]?.startsWith('[V:1]') ?? false;
  const units = interleaved ? first : (first.join('').match(/[^|]*\|/g) ?? []);
  const taken = Math.max(0, Math.min(bars, units.length - 1));
  return { text: header + units.slice(0, taken).join('') + (interleaved ? '[V:1]' : ''), bars: taken };
}
