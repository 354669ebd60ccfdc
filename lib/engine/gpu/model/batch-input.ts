/**
 * Prepares the input of a batch's microbatches on the CPU: tokens in the order of the network, and rows sorted by token, so
 * that the gradient of the embedding needs no atomic additions. All of it is one array, which is copied in one piece.
 */
import type { Batch } from '../../interface/index.ts';
import type { Slice } from '../device/device.ts';
import { after } from '../launches/pass-builder.ts';
import type { MicrobatchInput } from '../networks/network.ts';

/** Largest number of rows in a segment, which a block adds up one after the other. */
const SEGMENT = 64;
/** Alignment of slices of the array, in words. */
const ALIGNED_WORDS = 64;

/** Sequences `first` … of a batch. */
export interface Microbatch {
  first: number;
  sequences: number;
}

/** Divides a batch into as few and as even microbatches as possible, because each pass reads every weight. */
export function microbatches(batch: number, largest: number): Microbatch[] {
  const count = Math.ceil(batch / largest);
  const size = Math.ceil(batch / count);
  return Array.from({ length: Math.ceil(batch / size) }, (_, i) => ({
    first: i * size,
    sequences: Math.min(size, batch - i * size),
  }));
}

/** Places of the five parts of a microbatch within the array, in words. */
function layoutOf(rows: number, vocabulary: number) {
  const segmentCount = Math.floor(rows / SEGMENT) + Math.min(vocabulary, rows);
  let used = 0;
  const take = (words: number) => {
    const at = used;
    used += Math.ceil(words / ALIGNED_WORDS) * ALIGNED_WORDS;
    return at;
  };
  const [tokens, targets, order] = [take(rows), take(rows), take(rows)];
  const [segments, firstSegment] = [take(2 * segmentCount), take(vocabulary + 1)];
  return { tokens, targets, order, segments, firstSegment, segmentCount, words: used };
}

/** Words of the array of one microbatch. */
export const inputWords = (rows: number, vocabulary: number) => layoutOf(rows, vocabulary).words;

/** The parts of a microbatch within memory that begins with its array. */
export function inputSlices(memory: Slice, rows: number, vocabulary: number): MicrobatchInput {
  const { segmentCount, ...places } = layoutOf(rows, vocabulary);
  const at = (words: number) => after(memory, 4 * words);
  return {
    tokens: at(places.tokens),
    targets: at(places.targets),
    order: at(places.order),
    segments: at(places.segments),
    firstSegment: at(places.firstSegment),
    segmentCount,
  };
}

/** Where row `row` of a microbatch is within its windows, (sequence, token) in row-major order. */
export const placeOfRow = (row: number, timeMajor: boolean, sequences: number, length: number) =>
  timeMajor ? (row % sequences) * length + Math.floor(row / sequences) : row;

/** Fills the array of one microbatch. `targets` may be missing if logits are wanted. */
export function fillInput(
  words: Uint32Array,
  { inputs, targets, length }: Pick<Batch, 'inputs' | 'length'> & Partial<Batch>,
  { first, sequences }: Microbatch,
  { timeMajor, vocabulary, sorted }: { timeMajor: boolean; vocabulary: number; sorted: boolean },
): void {
  const rows = sequences * length;
  const { tokens, targets: targetsAt, order, segments, firstSegment } = layoutOf(rows, vocabulary);
  for (let row = 0; row < rows; row++) {
    const place = first * length + placeOfRow(row, timeMajor, sequences, length);
    words[tokens + row] = inputs[place];
    if (targets) words[targetsAt + row] = targets[place];
  }
  if (!sorted) return;
  // Counting sort: `next` is the place of a token's next row.
  const next = new Uint32Array(vocabulary + 1);
  for (let row = 0; row < rows; row++) next[words[tokens + row] + 1]++;
  for (let token = 0; token < vocabulary; token++) next[token + 1] += next[token];
  let count = 0;
  for (let token = 0; token < vocabulary; token++) {
    words[firstSegment + token] = count;
    for (let begin = next[token]; begin < next[token + 1]; begin += SEGMENT, count++) {
      words[segments + 2 * count] = begin;
      words[segments + 2 * count + 1] = Math.min(begin + SEGMENT, next[token + 1]);
    }
  }
  words[firstSegment + vocabulary] = count;
  for (let row = 0; row < rows; row++) words[order + next[words[tokens + row]]++] = row;
}
