/** The numbers within a value: their values, rounded copies, and a form that all readers of YAML and JSON agree on. */
import type { Json } from './json.ts';
import { WrittenNumber, writtenNumber } from './written-number.ts';

/** The value of a number; undefined for anything else. */
export function numberOf(value: Json | undefined): number | bigint | undefined {
  if (value instanceof WrittenNumber) return value.value;
  return typeof value === 'number' ? value : undefined;
}

/** A copy of the value with a `number` for each number, rounded where it has to be. */
export function rounded(value: Json): Json {
  if (value instanceof WrittenNumber) return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rounded(item)]));
}

/**
 * The value with its numbers in a form that YAML 1.1, YAML 1.2 and JSON read alike. A number in such a form keeps its
 * text. PyYAML, which reads YAML 1.1, takes `1e-7` for a text and `010` for eight.
 *
 * @param isJson the value goes into a JSON file
 * @example toPortable(1e-7) // 1.0e-07
 */
export function toPortable(value: Json, isJson = false): Json {
  if (Array.isArray(value)) return value.map((item) => toPortable(item, isJson));
  if (typeof value === 'object' && value !== null && !(value instanceof WrittenNumber))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPortable(item, isJson)]));
  const number = numberOf(value);
  if (number === undefined) return value;
  const short = String(number);
  const text = String(value);
  if (text !== short && ((short.includes('e') ? EXPONENT : DECIMAL).test(text) || (!isJson && HEX.test(text))))
    return value;
  return writtenNumber(withPoint(short), Number(number));
}

/** As both versions of YAML read it, but not JSON. */
const HEX = /^0x[\da-fA-F]+$/;
/** A number without an exponent, or with one, as YAML 1.1 and JSON both read it. */
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
const EXPONENT = /^-?(?:0|[1-9]\d*)\.\d+[eE][-+]\d+$/;

function withPoint(number: string): string {
  const [, mantissa, sign, exponent] = /^(-?\d+(?:\.\d+)?)e([+-]?)(\d+)$/.exec(number) ?? [];
  if (mantissa === undefined) return number;
  return `${mantissa}${mantissa.includes('.') ? '' : '.0'}e${sign || '+'}${exponent.padStart(2, '0')}`;
}
