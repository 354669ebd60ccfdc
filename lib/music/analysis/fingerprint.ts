/**
 * A fingerprint of the music, for finding near-duplicates: the same for a tune in another key, tempo, octave or orchestration, with its
 * voices in another order, with other drums, with silence before it, or cut off late.
 *
 * It is a hash of the intervals between the highest notes of successive onsets, of the first 128 onsets; where there are
 * fewer than 32, how far apart they are counts too. Drums count only where there is nothing else.
 */
import type { Score } from '../model/index.ts';

const ONSETS = 128;
const ENOUGH_ONSETS = 32;

/** Sixteen hexadecimal digits. Equal for near-duplicates; unequal, but for chance, otherwise. */
export function fingerprint(score: Score): string {
  const pitched = score.voices.filter((voice) => !voice.drum);
  const highest = new Map<number, number>();
  for (const voice of pitched.length > 0 ? pitched : score.voices) {
    for (const { start, pitch } of voice.notes) highest.set(start, Math.max(highest.get(start) ?? 0, pitch));
  }
  const onsets = [...highest.keys()].sort((a, b) => a - b).slice(0, ONSETS);
  const features: number[] = [pitched.length > 0 ? 0 : 1, Math.min(onsets.length, ENOUGH_ONSETS)];
  for (let i = 1; i < onsets.length; i++) {
    const interval = highest.get(onsets[i])! - highest.get(onsets[i - 1])!;
    features.push(interval & 0xff);
    if (onsets.length < ENOUGH_ONSETS) features.push((((onsets[i] - onsets[i - 1]) * 4) / score.grid) & 0xff);
  }
  return fnv1a(features);
}

/** Fowler, Noll and Vo's hash 1a, 64 bits. */
function fnv1a(bytes: number[]): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16).padStart(16, '0');
}
