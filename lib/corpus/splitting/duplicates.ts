/** Finds duplicate tunes: equal in content, or near-duplicates with the same transposition-invariant fingerprint. */
import type { InspectedTune } from './inspect-file.ts';

/** An earlier tune that makes a tune a duplicate. */
export interface Duplicate {
  /** `content`: the same text; `fingerprint`: the same music, perhaps transposed. */
  kind: 'content' | 'fingerprint';
  /** The id of the earlier tune. */
  of: string;
}

/** Remembers the tunes that are kept. */
export class DuplicateFinder {
  readonly #byContent = new Map<string, string>();
  readonly #byFingerprint = new Map<string, string>();

  /**
   * Compares a tune with all tunes that were added before.
   *
   * @returns undefined if the tune is new; it then counts as kept under `id`
   */
  add(tune: Pick<InspectedTune, 'contentHash' | 'fingerprint'>, id: string): Duplicate | undefined {
    const same = this.#byContent.get(tune.contentHash);
    if (same !== undefined) return { kind: 'content', of: same };
    const similar = this.#byFingerprint.get(tune.fingerprint);
    if (similar !== undefined) return { kind: 'fingerprint', of: similar };
    this.#byContent.set(tune.contentHash, id);
    this.#byFingerprint.set(tune.fingerprint, id);
    return undefined;
  }
}
