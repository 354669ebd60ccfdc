/** The known name that a mistyped one most likely means. */

/**
 * `did you mean "deps"?`, or the list of what is known when nothing is near; empty when nothing is known. `variants` may be
 * meant too, but are too many to list.
 */
export function suggestion(name: string, known: Iterable<string>, variants: readonly string[] = []): string {
  const names = [...known];
  const near = nearestName(name, [...names, ...variants]);
  if (near !== undefined) return `; did you mean "${near}"?`;
  if (names.length === 0) return '';
  const shown = names.slice(0, 12).join(', ');
  return `; known here: ${shown}${names.length > 12 ? `, … (${names.length} in all)` : ''}`;
}

/** Undefined when the nearest is more than a third of the name's letters away. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters to insert, delete, replace or swap with a neighbour (optimal string alignment). */
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
