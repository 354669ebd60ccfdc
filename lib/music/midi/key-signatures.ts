/**
 * Merges the key signatures of all tracks into one list.
 *
 * Tracks may disagree: those of transposing instruments (clarinet, trumpet, horn) often have the written key, the others
 * the key that sounds. Of the keys at such a place, the one that fits the notes until the next signature is the right
 * one. A track with another key counts as transposing, and all its signatures are ignored.
 */
import { type KeyChange, keyFit, type Part, type PitchClassDurations, pitchClassDurations } from '../model/index.ts';

/** A key signature of a track. */
interface Vote {
  track: number;
  key: KeyChange;
}

/**
 * Merges the key signatures of all tracks.
 *
 * @param keys for each track, in order of tick
 * @returns in order of tick
 */
export function agreeOnKeys(keys: readonly KeyChange[][], parts: readonly Part[]): KeyChange[] {
  const transposing = transposingTracks(keys, parts);
  return keys.flatMap((changes, track) => (transposing.has(track) ? [] : changes)).sort((a, b) => a.tick - b.tick);
}

/** The tracks whose keys are other than those that sound. */
function transposingTracks(keys: readonly KeyChange[][], parts: readonly Part[]): Set<number> {
  const transposing = new Set<number>();
  if (keys.filter((changes) => changes.length > 0).length < 2) return transposing;
  const moments = [...votes(keys)].sort(([a], [b]) => a - b);
  for (const [m, [tick, voters]] of moments.entries()) {
    const [first, ...others] = voters;
    if (others.every(({ key }) => sameKey(key, first.key))) continue;
    const sounding = durationsBetween(parts, tick, moments[m + 1]?.[0] ?? Number.POSITIVE_INFINITY);
    const best = bestKey(voters, sounding);
    for (const { track, key } of voters) if (!sameKey(key, best)) transposing.add(track);
  }
  return transposing;
}

/** The signatures by tick. Of several of one track at one tick, the last counts. */
function votes(keys: readonly KeyChange[][]): Map<number, Vote[]> {
  const moments = new Map<number, Vote[]>();
  for (const [track, changes] of keys.entries()) {
    for (const [i, key] of changes.entries()) {
      if (changes[i + 1]?.tick === key.tick) continue;
      const vote = { track, key };
      const voters = moments.get(key.tick);
      if (voters === undefined) moments.set(key.tick, [vote]);
      else voters.push(vote);
    }
  }
  return moments;
}

/** The key that fits best; of several, the one of most tracks. */
function bestKey(voters: readonly Vote[], sounding: PitchClassDurations): KeyChange {
  const tracks = (key: KeyChange) => voters.filter((vote) => sameKey(vote.key, key)).length;
  const [best] = voters
    .map(({ key }) => ({ key, fit: keyFit(sounding, key), tracks: tracks(key) }))
    .sort((a, b) => b.fit - a.fit || b.tracks - a.tracks);
  return best.key;
}

function durationsBetween(parts: readonly Part[], from: number, to: number): PitchClassDurations {
  return pitchClassDurations(
    parts.map(({ drum, notes }) => ({ drum, notes: notes.filter(({ start }) => start >= from && start < to) })),
  );
}

function sameKey(a: KeyChange, b: KeyChange): boolean {
  return a.fifths === b.fifths && a.minor === b.minor;
}
