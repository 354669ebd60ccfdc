/**
 * The values of fields, read one character at a time. Each function says whether a text can begin the value of a field,
 * and whether it is a whole value. Only values that the writer writes are accepted.
 */
import { keyText } from '../abc/index.ts';

/** The fields whose values are read. `program` is the number of a MIDI program. */
export type ValueKind = 'metre' | 'unit' | 'tempo' | 'key' | 'program';

const MAX_NUMERATOR = 255;
const MAX_TEMPO = 9999;
const MAX_PROGRAM = 127;

const ALL_FIFTHS = Array.from({ length: 15 }, (_, i) => i - 7);
/** The keys by their texts. */
const KEYS = new Map(
  [false, true].flatMap((minor) => ALL_FIFTHS.map((fifths) => [keyText({ fifths, minor }), fifths] as const)),
);
const UNITS = ['4', '8', '16', '32', '64'];
/** Note values that a metre may count: 1/1 to 1/64. */
const DENOMINATORS = ['1', '2', '4', '8', '16', '32', '64'];

/**
 * Whether at least one value begins with `text`.
 *
 * @param grid steps per quarter note: a bar and a unit must be whole numbers of steps
 */
export function beginsValue(kind: ValueKind, text: string, grid: number): boolean {
  switch (kind) {
    case 'metre': {
      const [numerator, denominator, more] = text.split('/');
      if (more !== undefined || !isNumber(numerator, 1, MAX_NUMERATOR)) return false;
      return DENOMINATORS.some(
        (value) => value.startsWith(denominator ?? '') && Number.isInteger(barSteps(`${numerator}/${value}`, grid)),
      );
    }
    case 'unit':
      return UNITS.some((value) => value.startsWith(text) && Number(value) <= 4 * grid);
    case 'tempo':
      return isNumber(text, 1, MAX_TEMPO);
    case 'key':
      for (const key of KEYS.keys()) if (key.startsWith(text)) return true;
      return false;
    case 'program':
      return isNumber(text, 0, MAX_PROGRAM);
  }
}

/** Whether `text`, which begins a value of this kind, is a whole value. */
export function isValue(kind: ValueKind, text: string): boolean {
  if (kind === 'metre') return DENOMINATORS.includes(text.split('/')[1]);
  if (kind === 'unit') return UNITS.includes(text);
  return kind === 'key' ? KEYS.has(text) : text !== '';
}

/** The number of sharps of a whole key value, −7…7. */
export function fifthsOf(key: string): number {
  return KEYS.get(key)!;
}

/**
 * The length of a bar.
 *
 * @param metre a whole metre value
 * @param grid steps per quarter note
 * @returns steps; not a whole number if the grid is too coarse for the metre
 */
export function barSteps(metre: string, grid: number): number {
  const [numerator, denominator] = metre.split('/').map(Number);
  return (numerator * 4 * grid) / denominator;
}

/** Whether the text is a whole number in a range, without zeros before it. */
function isNumber(text: string, minimum: number, maximum: number): boolean {
  if (!/^(?:0|[1-9]\d*)$/.test(text)) return false;
  return Number(text) >= minimum && Number(text) <= maximum;
}
