/** The angles of rotary positions (Su et al. 2021), as the kernel `rotate` reads them. */
import type { GptConfig } from '../../../models/index.ts';
import type { Slice } from '../device/device.ts';
import { afterFloats } from '../launches/pass-builder.ts';

/** @returns cosines (block,D/2), then sines (block,D/2), for heads of D numbers */
export function rotaryTables({ block, width, heads }: GptConfig): Float32Array {
  const half = width / heads / 2;
  const tables = new Float32Array(2 * block * half);
  for (let i = 0; i < half; i++) {
    const frequency = 10000 ** (-i / half);
    for (let position = 0; position < block; position++) {
      tables[position * half + i] = Math.cos(position * frequency);
      tables[(block + position) * half + i] = Math.sin(position * frequency);
    }
  }
  return tables;
}

/** The two tables on the device; undefined if positions are learned. */
export function rotaryOf(
  { block, width, heads }: GptConfig,
  tables: Slice | null,
): { cosines: Slice; sines: Slice } | undefined {
  return tables ? { cosines: tables, sines: afterFloats(tables, (block * width) / heads / 2) } : undefined;
}
