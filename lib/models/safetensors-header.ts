/**
 * Checks the header of a safetensors file, before any memory is allocated for its values. The file may come from anyone.
 *
 * The tensors must cover the bytes after the header exactly and without overlaps, as the format demands. So the values
 * take as much memory as the file. The size and structure of the header are bounded, because parsed JSON can take many
 * times the memory of its text.
 *
 * @see https://huggingface.co/docs/safetensors, "Format"
 */
import { elementCount } from './parameters.ts';

/** The header's entry for a tensor; offsets count from the end of the header. */
export interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/**
 * The longest header that is read, in bytes. The format allows 100 MB. A tensor takes about 130 bytes: GPT-2 XL has a
 * header of 0.1 MB, and the optimizer of a model of 4,096 layers, the most that lib/models allows, has one of 13 MB.
 */
export const MAX_HEADER_BYTES = 16 * 2 ** 20;
/** A header has mappings of tensors with lists: no value is nested deeper. */
const MAX_DEPTH = 3;
/** The fewest bytes of a header for each `{`, `[` and `:`, when names and shapes are as short as can be. */
const BYTES_PER_SIGN = 6;
/** No parameter has as many axes. */
const MAX_AXES = 8;
/** Names in errors are cut to this length. */
const SHOWN = 100;

/** Reports a problem: `header` as a whole, or one tensor. */
export class HeaderProblem extends Error {
  readonly tensor?: string;

  constructor(message: string, tensor?: string) {
    super(message);
    this.tensor = tensor?.slice(0, SHOWN);
  }
}

/**
 * Parses and checks a header.
 *
 * @param bytes JSON
 * @returns the tensors in the order of the header, the bytes that they take together, and the metadata
 * @throws HeaderProblem if it is not a header of a safetensors file, or has values that are not float32
 */
export function parseHeader(bytes: Buffer): { entries: [string, Entry][]; end: number; metadata: object } {
  const keys = countKeys(bytes);
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString('utf8'));
  } catch {}
  if (!isMapping(header)) throw new HeaderProblem('its header is not a JSON object');
  const names = Object.keys(header);
  const found = names.length + names.reduce((sum, name) => sum + keyCount(header[name]), 0);
  if (found !== keys) throw new HeaderProblem('its header has the same key twice');

  const metadata = Object.hasOwn(header, '__metadata__') ? header.__metadata__ : {};
  if (!isMapping(metadata) || Object.values(metadata).some((value) => typeof value !== 'string'))
    throw new HeaderProblem('__metadata__ in its header is not a mapping of texts');
  const entries = names
    .filter((name) => name !== '__metadata__')
    .map((name): [string, Entry] => [name, checkEntry(name, header[name])]);
  return { entries, end: checkOffsets(entries), metadata };
}

/**
 * Counts the keys without parsing.
 *
 * @throws HeaderProblem if the structure is not that of a header
 */
function countKeys(bytes: Buffer): number {
  let [depth, keys, signs] = [0, 0, 0];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
      continue;
    }
    if (byte === COLON) keys++;
    if (byte === BRACE || byte === BRACKET) depth++;
    else if (byte === BRACE + 2 || byte === BRACKET + 2) depth--;
    if (byte === COLON || byte === BRACE || byte === BRACKET) signs++;
    if (depth > MAX_DEPTH || signs > bytes.length / BYTES_PER_SIGN + 8)
      throw new HeaderProblem('its header does not map names to types, shapes and offsets');
  }
  return keys;
}

const [QUOTE, BACKSLASH, COLON, BRACE, BRACKET] = [...'"\\:{['].map((letter) => letter.charCodeAt(0));

function checkEntry(name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (isMapping(entry) ? entry : {}) as unknown as Entry;
  if (dtype !== 'F32')
    throw new HeaderProblem(
      `has numbers of type ${String(dtype).slice(0, SHOWN)}; only F32 is supported: convert it first`,
      name,
    );
  if (!isWhole(shape) || !isWhole(offsets) || offsets.length !== 2)
    throw new HeaderProblem('has no proper shape and offsets', name);
  if (shape.length > MAX_AXES) throw new HeaderProblem(`has ${shape.length} axes; at most ${MAX_AXES} are read`, name);
  if (offsets[1] - offsets[0] !== 4 * elementCount(shape))
    throw new HeaderProblem(
      `has ${offsets[1] - offsets[0]} bytes, but its shape [${shape}] needs ${4 * elementCount(shape)}`,
      name,
    );
  return { dtype, shape, data_offsets: offsets };
}

/** Checks that the tensors lie one after another. Returns the offset of their end. */
function checkOffsets(entries: readonly [string, Entry][]): number {
  let end = 0;
  const byOffset = entries
    .map(
      ([
        name,
        {
          data_offsets: [from, to],
        },
      ]) => ({ name, from, to }),
    )
    .sort((a, b) => a.from - b.from || a.to - b.to);
  for (const { name, from, to } of byOffset) {
    if (from < end) throw new HeaderProblem('overlaps with another tensor', name);
    if (from > end) throw new HeaderProblem(`comes after ${from - end} bytes that belong to no tensor`, name);
    end = to;
  }
  return end;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keyCount(value: unknown): number {
  return isMapping(value) ? Object.keys(value).length : 0;
}

function isWhole(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
}
