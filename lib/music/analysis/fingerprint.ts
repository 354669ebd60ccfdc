/**
 * A transposition-invariant fingerprint of a score, for finding near-duplicates.
 *
 * It does not depend on key, tempo, octave, instruments, drums, the order of voices, silence at the beginning, or
 * anything after the first 128 onsets. It is a hash of the intervals between the highest notes of successive onsets.
 * With fewer than 32 onsets, the times between them are hashed too. Drums are used only if there are no pitched voices.
 */
import type { Score } from '../model/index.ts';

const MAX_ONSETS = 128;
/** With fewer onsets, intervals alone would often be equal by chance. */
const MIN_ONSETS_WITHOUT_TIMES = 32;

/**
 * Computes the fingerprint of a score.
 *
 * @returns sixteen hexadecimal digits, equal for near-duplicates
 */
export function fingerprint(score: Score): string {
  const pitched = score.voices.filter((voice) => !voice.drum);
  const highest = new Map<number, number>();
  for (const voice of pitched.length > 0 ? pitched : score.voices) {
    for (const { start, pitch } of voice.notes) highest.set(start, Math.max(highest.get(start) ?? 0, pitch));
  }
  const onsets = [...highest.keys()].sort((a, b) => a - b).slice(0, MAX_ONSETS);
  const features: number[] = [pitched.length > 0 ? 0 : 1, Math.min(onsets.length, MIN_ONSETS_WITHOUT_TIMES)];
  for (let i = 1; i < onsets.length; i++) {
    const interval = highest.get(onsets[i])! - highest.get(onsets[i - 1])!;
    features.push(interval & 0xff);
    if (onsets.length < MIN_ONSETS_WITHOUT_TIMES)
      features.push((((onsets[i] - onsets[i - 1]) * 4) / score.unitsPerBeat) & 0xff);
  }
  return fnv1a(features);
}

/** The FNV-1a hash of 64 bits (Fowler, Noll and Vo). */
function fnv1a(bytes: number[]): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16).padStart(16, '0');
}
