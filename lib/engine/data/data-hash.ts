/** Which tokens a split has, as one short text: a run that goes on from a checkpoint must read what it read before. */
import { createHash } from 'node:crypto';
import type { Split, TokenSource } from './token-source.ts';

/** tokens read at a time */
const stretch = 2 ** 20;

/** SHA-256 over the tokens as 32-bit little-endian numbers, however the source keeps them; some 7 ms for a million. */
export function hashOf(source: TokenSource, split: Split): string {
  const { tokens } = source.totals(split);
  const hash = createHash('sha256');
  for (let offset = 0; offset < tokens; offset += stretch) {
    const part = source.window(split, offset, Math.min(stretch, tokens - offset));
    const bytes = new DataView(new ArrayBuffer(4 * part.length));
    for (let i = 0; i < part.length; i++) bytes.setUint32(4 * i, part[i], true);
    hash.update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}
