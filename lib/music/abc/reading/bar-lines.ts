/**
 * Reads bar lines and the numbers of endings.
 *
 * @see ABC standard 2.1, §4.8 (repeats and bar lines), §4.9 (first and second endings)
 */

/** `|`, `||`, `|]`, `[|`, `|:`, `:|`, `::`, `:|:`, `.|`. The invisible bar line `[|]` is a sign of its own. */
const INVISIBLE_BAR_LINE = '[|]';
const BAR_LINE = /:*\.?\[?\|[|\]]*:*|::+/y;
/** `1`, `1,3`, `1, 3`, `1-3` after a bar line, or after `[`; also quoted after `[`. */
const ENDING = /\[?(\d+(?:(?:, ?|-)\d+)*)|\["(\d+(?:(?:, ?|-)\d+)*)\.?"/y;
const ENDING_AFTER_SPACE = /\s*\[?(\d+(?:(?:, ?|-)\d+)*)/y;
/** A chord whose first note has an annotation or a fingering: `["5"ce]`. An ending goes on to a bar line. */
const ANNOTATED_CHORD = /\["[^"\n]{0,200}"(?:"[^"\n]{0,200}"|[^"|[\]:\n]){1,200}\]/y;
/** The highest pass that an ending may name. Higher numbers are typing errors, such as [11111. */
const MAX_PASSES = 99;

/** A bar line as it is written. */
export interface BarLine {
  /** characters */
  length: number;
  /** how often the section that ends here is repeated */
  closesRepeat: number;
  opensRepeat: boolean;
  /** whether it is a double or final bar line */
  isDouble: boolean;
}

/**
 * Reads the bar line at a place of a line.
 *
 * @param afterBarLine whether a bar line stands before it, maybe in the line before: then `:` begins a repeat
 * @returns undefined for another colon that stands alone
 */
export function readBarLine(text: string, at: number, afterBarLine: boolean): BarLine | undefined {
  const next = text[at + 1];
  if (text[at] === '|' && next !== '|' && next !== ']' && next !== ':')
    return { length: 1, closesRepeat: 0, opensRepeat: false, isDouble: false };
  if (text.startsWith(INVISIBLE_BAR_LINE, at))
    return { length: INVISIBLE_BAR_LINE.length, closesRepeat: 0, opensRepeat: false, isDouble: false };
  BAR_LINE.lastIndex = at;
  const match = BAR_LINE.exec(text);
  if (match === null)
    return afterBarLine ? { length: 1, closesRepeat: 0, opensRepeat: true, isDouble: false } : undefined;
  // `|]:|` is an end and a repeat sign, not the beginning of a repeat.
  const [sign] = text[at + match[0].length] === '|' ? match[0].match(/^.*?\](?=:+$)|^.*$/)! : match;
  const before = /^:*/.exec(sign)![0].length;
  const onlyColons = before === sign.length;
  return {
    length: sign.length,
    closesRepeat: onlyColons ? Math.floor(before / 2) : before,
    opensRepeat: onlyColons || sign.endsWith(':'),
    isDouble: /\|\||\|\]|\[\|/.test(sign),
  };
}

/** Whether the `["` at a place of a line begins a chord and not an ending. */
export function isAnnotatedChord(text: string, at: number): boolean {
  ANNOTATED_CHORD.lastIndex = at;
  return ANNOTATED_CHORD.test(text);
}

/**
 * Reads the number of an ending: `1`, `[1,3`, `1-3`.
 *
 * @param afterSpace whether white space may stand before it
 * @returns its passes, its length in characters, and the last fault of its numbers; undefined if there is no ending
 */
export function readEnding(
  text: string,
  at: number,
  afterSpace: boolean,
): { passes: number[]; length: number; fault?: string } | undefined {
  const pattern = afterSpace ? ENDING_AFTER_SPACE : ENDING;
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const passes: number[] = [];
  let fault: string | undefined;
  for (const part of (match[1] ?? match[2]).split(',')) {
    const [from, to = from] = part.split('-').map(Number);
    if (to > MAX_PASSES) fault = `an ending for pass ${to}`;
    else if (from > to) fault = `the passes ${from}-${to} of an ending count backwards`;
    for (let pass = from; pass <= Math.min(to, MAX_PASSES); pass++) passes.push(pass);
  }
  return { passes, length: match[0].length, fault };
}
