/**
 * Cuts ABC text into lexemes. Concatenated, the lexemes give the text again, for any text: a byte that is not ABC
 * becomes a separate lexeme.
 *
 *   K:Fm            a field that fills a line, an inline field such as [V:1], a %%directive, a comment
 *   ^f'  Z  ]       a note with accidental and octave, a rest, the end of a chord
 *   3/2  2  //      a duration after one of those
 *   |]  ||  :|      a bar line, with its repeats
 *   (3  "Am"  !p!   a tuplet ((3:2:4 too), a chord symbol, a decoration
 *   -  (  [  \n …   any other byte
 *
 * The text is passed as Latin-1, one character per byte; the syntax of ABC is ASCII. Repetitions in the patterns that
 * may fail after a long match are bounded, so the time is linear in the text. This lexer knows the spelling of ABC but
 * not its meaning; lib/music parses ABC.
 *
 * @see ABC notation standard 2.1, chapters 3 (information fields) and 4 (tune body)
 */

/** All lexemes but durations. The first alternative that matches wins. */
const LEXEME = new RegExp(
  [
    /(?<![^\n])(?:[A-Za-z]:|%)[^\n]*/, // a field, directive or comment that fills a line
    /\[[A-Za-z]:[^\]\n]{0,60}\]/, // an inline field
    /(?<timed>(?:\^\^?|__?|=)?[A-Ga-g][,']*|[xzXZ]|\])/, // a duration may follow: note, rest, end of a chord
    /:{0,2}\|[|:\]]{0,3}|\[\||::/, // bar lines
    /\(\d(?::\d{0,2}){0,2}/, // a tuplet
    /"[^"\n]{0,60}"/, // a chord symbol or annotation
    /![^!\n]{1,40}!/, // a decoration
    /[\s\S]/, // any other byte
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
);

/** A multiple or fraction of the unit note length: 2, 3/2, /2, //. */
const DURATION = /\d+(?:\/\d+|\/*)|\/\d+|\/+/y;

/**
 * Calls `visit` with each lexeme, in order.
 *
 * @param latin1 the bytes of the text, one character per byte
 * @param visit receives the lexeme and whether it is a duration
 */
export function eachLexeme(latin1: string, visit: (lexeme: string, isDuration: boolean) => void): void {
  for (let at = 0; at < latin1.length; ) {
    LEXEME.lastIndex = at;
    const match = LEXEME.exec(latin1)!;
    at = LEXEME.lastIndex;
    visit(match[0], false);
    if (match.groups!.timed === undefined) continue;
    DURATION.lastIndex = at;
    const duration = DURATION.exec(latin1);
    if (!duration) continue;
    at = DURATION.lastIndex;
    visit(duration[0], true);
  }
}
