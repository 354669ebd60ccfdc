/** Plain data: its type, lookup by dotted key, comparison that ignores the order of keys, and a canonical text. */
import { WrittenNumber } from './written-number.ts';

/** A value that JSON can express. */
export type Json =
  | null
  | boolean
  | number
  | WrittenNumber
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Whether the value is a mapping: not a list, a number or a text. */
export function isMapping(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WrittenNumber);
}

/** The value at a key; or the part of the key that is missing, and the keys that exist there. */
export type LookUp = { found: true; value: Json } | { found: false; missing: string; known: string[] };

/**
 * The value at a dotted key such as `train.sizes[0].width`. `train[sizes]` is the same as `train.sizes`. A name may itself contain dots: at each step the longest
 * existing name is taken.
 */
export function lookUp(root: Json, key: string): LookUp {
  const path = keyPath(root, key);
  if (!Array.isArray(path)) return path as { found: false; missing: string; known: string[] };
  let value = root;
  for (const step of path) value = (value as Record<string | number, Json>)[step];
  return { found: true, value };
}

/** The keys and indices that a dotted key stands for in `root`; or the missing part, and the keys that exist there. */
export function keyPath(
  root: Json,
  dottedKey: string,
): (string | number)[] | { found: false; missing: string; known: string[] } {
  const path: (string | number)[] = [];
  let value = root;
  let rest = dottedKey;
  while (rest !== '') {
    const known = isMapping(value) ? Object.keys(value) : [];
    const [bracket, inBrackets] = /^\[([^\]]+)\]/.exec(rest) ?? [];
    let step: string | number | undefined;
    let length = bracket?.length ?? 0;
    if (Array.isArray(value)) {
      const [number] = /^\d+(?=\.|$)/.exec(rest) ?? [];
      length ||= number?.length ?? 0;
      const index = /^\d+$/.test(inBrackets ?? number ?? '') ? Number(inBrackets ?? number) : Number.NaN;
      if (index < value.length) step = index;
    } else if (isMapping(value)) {
      if (inBrackets !== undefined && Object.hasOwn(value, inBrackets)) step = inBrackets;
      else {
        step = longestName(value, rest);
        length = step?.length ?? 0;
      }
    }
    if (step === undefined) {
      const missing = inBrackets !== undefined && isMapping(value) ? inBrackets : missingPart(dottedKey, rest, value);
      return { found: false, missing, known };
    }
    path.push(step);
    value = (value as Record<string | number, Json>)[step];
    rest = rest.slice(length);
    // A dot at the end names nothing.
    if (rest === '.') return { found: false, missing: dottedKey, known: isMapping(value) ? Object.keys(value) : [] };
    rest = rest.replace(/^\./, '');
  }
  return path;
}

/** The part of a key that is missing in `value`. @example missingPart('train.sizes[5]', '[5]', ['a']) // 'train.sizes[5]' */
function missingPart(key: string, rest: string, value: Json): string {
  const [index] = /^\[\d+\]/.exec(rest) ?? [];
  if (index !== undefined && Array.isArray(value)) return key.slice(0, key.length - rest.length) + index;
  return isMapping(value) ? (/^[^.[]+/.exec(rest)?.[0] ?? rest) : rest;
}

function longestName(mapping: { readonly [key: string]: Json }, rest: string): string | undefined {
  for (let end = rest.length; end > 0; end = Math.max(rest.lastIndexOf('.', end - 1), rest.lastIndexOf('[', end - 1))) {
    const name = rest.slice(0, end);
    if (Object.hasOwn(mapping, name)) return name;
  }
  return undefined;
}

/**
 * JSON with sorted keys: equal values give equal texts, however a number is written. An integer that a `number` cannot
 * hold is marked by an `n`, so that it differs from the number that it would be rounded to.
 */
export function canonical(value: Json | undefined): string {
  if (value instanceof WrittenNumber)
    return typeof value.value === 'bigint' ? `${value.value}n` : JSON.stringify(value.value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (isMapping(value)) {
    const members = Object.keys(value).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Whether two values are the same apart from the order of keys. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || ((a === undefined) === (b === undefined) && canonical(a) === canonical(b));
}

/** Whether two values are the same, and their numbers are written in the same way. */
export function equalAsWritten(a: Json, b: Json): boolean {
  if (a instanceof WrittenNumber || b instanceof WrittenNumber)
    return typeof a !== 'string' && typeof b !== 'string' && String(a) === String(b);
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => equalAsWritten(item, b[i]));
  if (!isMapping(a) || !isMapping(b)) return equal(a, b);
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalAsWritten(a[key], b[key]))
  );
}

/** A leaf that differs between two values; a side without it is undefined. */
export interface Difference {
  key: string;
  old?: Json;
  new?: Json;
}

/** Every leaf that differs, by dotted key under `prefix`; lists of equal length are compared item by item. */
export function differences(before: Json | undefined, after: Json | undefined, prefix = ''): Difference[] {
  if (equal(before, after)) return [];
  const join = (step: string) => (prefix === '' ? step : `${prefix}.${step}`);
  if (isMapping(before) && isMapping(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => differences(before[key], after[key], join(key)));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((item, i) => differences(item, after[i], `${prefix}[${i}]`));
  }
  return [{ key: prefix, old: before, new: after }];
}

/** Every leaf of a value by dotted key; an empty list or mapping is a leaf. */
export function leaves(value: Json, prefix = ''): [string, Json][] {
  const join = (step: string) => (prefix === '' ? step : `${prefix}.${step}`);
  if (isMapping(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([key, item]) => leaves(item, join(key)));
  if (Array.isArray(value) && value.length > 0) return value.flatMap((item, i) => leaves(item, `${prefix}[${i}]`));
  return [[prefix, value]];
}
