/** JSON texts that keep numbers as written: for files of people, and for memos. */
import type { Json } from './json.ts';
import { MARK, WrittenNumber, writtenNumber } from './written-number.ts';

/** How JSON.stringify writes MARK. */
const ESCAPED_MARK = '"\\u0000number ';

/** Strings, and whatever else could be a number. */
const JSON_WORDS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Parses a JSON text and keeps numbers as written.
 *
 * @throws SyntaxError as JSON.parse does
 */
export function parseJson(text: string): Json {
  const marked = text.replace(JSON_WORDS, (word) =>
    JSON_NUMBER.test(word) && writtenNumber(word, Number(word)) instanceof WrittenNumber
      ? JSON.stringify(MARK + word)
      : word,
  );
  if (marked === text) return JSON.parse(text);
  try {
    return unpackJson(marked);
  } catch {
    return JSON.parse(text); // Its error names a position in the text itself.
  }
}

/** JSON for people and other programs: numbers are as written if JSON allows it, else in decimal digits. */
export function writeJson(value: unknown, space?: number): string {
  return withNumbers(JSON.stringify(value, undefined, space));
}

/** Takes the output of JSON.stringify and writes the numbers that `toJSON` marked as writeJson writes them. */
export function withNumbers(text: string): string {
  if (!text.includes(ESCAPED_MARK)) return text;
  // A text from outside that only looks like a marked number stays a text.
  return text.replace(/"\\u0000number ([^"]*)"/g, (marked, number: string) =>
    JSON_NUMBER.test(number) ? number : String(readMarked(number)?.value ?? marked),
  );
}

/** Parses what JSON.stringify made of values that may have a WrittenNumber in them. */
export function unpackJson(text: string): Json {
  if (!text.includes(ESCAPED_MARK)) return JSON.parse(text);
  return JSON.parse(text, (_, value) =>
    typeof value === 'string' && value.startsWith(MARK) ? (readMarked(value.slice(MARK.length)) ?? value) : value,
  );
}

function readMarked(text: string): WrittenNumber | undefined {
  const value = Number(text);
  const number = Number.isNaN(value) ? value : writtenNumber(text, value);
  return number instanceof WrittenNumber ? number : undefined;
}
