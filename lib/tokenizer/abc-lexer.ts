/**
 * ABC cut into the things that it is made of. Laid end to end the lexemes are the text again, whatever the text: what is not
 * ABC comes out a byte at a time.
 *
 *   K:Fm            a field, whole: at the start of a line, or as [V:1] within one; so are %%directives and comments
 *   ^f'  Z  ]       what sounds or is silent: a note with accidental and octave, a rest, the end of a chord
 *   3/2  2  //      the duration after one of those
 *   |]  ||  :|      a bar line, with its repeats
 *   (3  "Am"  !p!   a tuplet, a chord symbol, a decoration
 *   -  (  [  \n …   any other byte
 *
 * Text is bytes as Latin-1, a character a byte: what ABC is written in is ASCII. Every repetition that may come to nothing is
 * bounded, so that time is linear in the text. It knows spellings, not music: lib/music reads ABC.
 */

const LEXEME = new RegExp(
  [
    /(?<![^\n])(?:[A-Za-z]:|%)[^\n]*/, // a field or comment that is a line
    /\[[A-Za-z]:[^\]\n]{0,60}\]/, // a field within a line
    /(?<held>(?:\^\^?|__?|=)?[A-Ga-g][,']*|[xzXZ]|\])/, // what a duration may follow
    /:{0,2}\|[|:\]]{0,3}|\[\||::/, // bar lines
    /\(\d(?::\d?){0,2}/,
    /"[^"\n]{0,60}"/,
    /![^!\n]{1,40}!/,
    /[\s\S]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
);

const DURATION = /\d+(?:\/\d+|\/*)|\/\d+|\/+/y;

/** Calls `visit` with each lexeme of a text of bytes as Latin-1, in order, and whether it is a duration. */
export function eachLexeme(latin1: string, visit: (lexeme: string, isDuration: boolean) => void): void {
  for (let at = 0; at < latin1.length; ) {
    LEXEME.lastIndex = at;
    const match = LEXEME.exec(latin1)!;
    at = LEXEME.lastIndex;
    visit(match[0], false);
    if (match.groups!.held === undefined) continue;
    DURATION.lastIndex = at;
    const duration = DURATION.exec(latin1);
    if (!duration) continue;
    at = DURATION.lastIndex;
    visit(duration[0], true);
  }
}
