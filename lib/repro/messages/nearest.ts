/** Suggestions for mistyped names: "did you mean …?". */

/** At most this many known names are listed. */
const LISTED = 12;

/**
 * The end of an error message about an unknown name.
 *
 * @param name the name that the user wrote
 * @param known the valid names
 * @param variants more valid names, which are suggested but never listed because there are too many
 * @returns `; did you mean "deps"?` if a name is near, else a list of the known names; empty if none is known
 */
export function suggestion(name: string, known: Iterable<string>, variants: readonly string[] = []): string {
  const names = [...known];
  const near = nearestName(name, [...names, ...variants]);
  if (near !== undefined) return `; did you mean "${near}"?`;
  if (names.length === 0) return '';
  const shown = names.slice(0, LISTED).join(', ');
  return `; known here: ${shown}${names.length > LISTED ? `, … (${names.length} in all)` : ''}`;
}

/**
 * The known name with the smallest edit distance to `name`, ignoring case.
 *
 * @returns undefined if that distance is more than a third of the length of `name` (but at least 1)
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The number of letters to insert, delete, replace or swap with a neighbour (optimal string alignment distance).
 * Infinite if the lengths differ by more than 8, where no suggestion makes sense.
 */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length];
}
