/** Joins parts: all drums to one, and pitched parts while there are more than ABC software can play. */
import { MAX_PITCHED_VOICES, type Part } from '../model/index.ts';

/**
 * Joins all drums into one part. While there are too many pitched parts, joins the smallest one to a part with the same
 * program, or else to the next part.
 */
export function joinParts(parts: Part[], warnings: string[]): Part[] {
  const drums = parts.filter((part) => part.drum && part.notes.length > 0);
  const pitched = parts.filter((part) => !part.drum && part.notes.length > 0);
  const groups = pitched.map((part) => [part]);
  if (pitched.length > MAX_PITCHED_VOICES) {
    warnings.push(
      `${pitched.length} parts beside the drums were joined to ${MAX_PITCHED_VOICES}: ABC software plays no more`,
    );
    groups.sort(([a], [b]) => b.notes.length - a.notes.length);
    while (groups.length > MAX_PITCHED_VOICES) {
      const [smallest] = groups.splice(-1);
      const sameProgram = groups.findLastIndex(([part]) => part.notes[0].program === smallest[0].notes[0].program);
      groups[sameProgram < 0 ? groups.length - 1 : sameProgram].push(...smallest);
    }
  }
  if (drums.length > 0) groups.push(drums);
  return groups.map(join);
}

function join(parts: Part[]): Part {
  if (parts.length === 1) return parts[0];
  return { drum: parts[0].drum, notes: parts.flatMap((part) => part.notes).sort((a, b) => a.start - b.start) };
}
